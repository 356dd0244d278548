"""A text under several tokenizers: each token with its id, bytes and where it comes from."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from refinery.tokenizers.byte_characters import piece_bytes, to_byte_piece
from refinery.tokenizers.folder import TokenizerFolder, read_tokenizer
from schemas.errors import SettingsError
from schemas.vocabulary import read_vocabulary


@dataclass(frozen=True)
class Box:
    """One token of a text; `text` is the part of the text that it covers, empty inside a character."""

    id: int
    piece: str
    text: str
    bytes_hex: str
    origin: str


@dataclass(frozen=True)
class ViewedTokenizer:
    """A tokenizer, its name on the page, and where the tokens of an extension come from, by id."""

    name: str
    folder: TokenizerFolder
    origins: dict[int, str]

    def boxes(self, text: str) -> list[Box]:
        """The tokens of a text, special tokens written in it staying text."""
        encoding = self.folder.tokenizer.encode(text, add_special_tokens=False)
        seen: set[tuple[int, int]] = set()
        boxes = []
        for number, piece, span in zip(
            encoding.ids, encoding.tokens, encoding.offsets, strict=True
        ):
            covered = "" if span in seen else text[span[0] : span[1]]
            if covered.strip() and not self._text(piece).strip():
                covered = ""  # a space that the normaliser put before the text
            else:
                seen.add(span)
            boxes.append(self.box(number, piece, covered))
        return boxes

    def box(self, number: int, piece: str, text: str) -> Box:
        return Box(number, piece, text, self._bytes(piece).hex(" "), self._origin(number, piece))

    def find(self, wanted: str) -> list[Box]:
        """Look tokens up: `wanted` is an id, an entry, or a text."""
        vocab = self.folder.vocab
        by_id = {number: piece for piece, number in vocab.items()}
        ids = {int(wanted)} & by_id.keys() if wanted.isascii() and wanted.isdigit() else set()
        for piece in (wanted, wanted.replace(" ", "▁"), f"##{wanted}", f"▁{wanted}"):
            ids |= {vocab[piece]} if piece in vocab else set()
        table = self._byte_entries(wanted)
        ids |= {vocab[piece] for piece in table if piece in vocab}
        return [self.box(n, by_id[n], self._text(by_id[n])) for n in sorted(ids)]

    def _byte_entries(self, wanted: str) -> tuple[str, ...]:
        if self.folder.kind != "byte_level_bpe":
            return ()
        return to_byte_piece(wanted), to_byte_piece(f" {wanted}")

    def _bytes(self, piece: str) -> bytes:
        if self.folder.kind == "byte_level_bpe":
            return piece_bytes(piece) or piece.encode()
        if len(piece) == 6 and piece.startswith("<0x"):
            return bytes([int(piece[3:5], 16)])
        return piece.replace("▁", " ").removeprefix("##").encode()

    def _text(self, piece: str) -> str:
        return self._bytes(piece).decode("utf-8", "replace")

    def _origin(self, number: int, piece: str) -> str:
        if piece in self.folder.special_tokens:
            return "unknown" if number == self.folder.unk_id else "control"
        return self.origins.get(number, "base")


def open_tokenizers(paths: Sequence[Path]) -> list[ViewedTokenizer]:
    """Read tokenizers to look at; equal names get their folder's parent."""
    viewed: list[ViewedTokenizer] = []
    for path in paths:
        folder = read_tokenizer(path)
        extended = read_vocabulary(path) if path.is_dir() else None
        origins = {t.id: str(t.origin) for t in extended.tokens} if extended else {}
        name = folder.name
        if any(other.name == name for other in viewed):
            name = f"{path.resolve().parent.name}/{name}"
        viewed.append(ViewedTokenizer(name, folder, origins))
    if not viewed:
        raise SettingsError("no tokenizer to view")
    return viewed


def view_page(tokenizers: Sequence[ViewedTokenizer], texts: Sequence[str]) -> str:
    """One HTML page without any link: boxes side by side, and a look-up over all entries."""
    data = {
        "texts": list(texts),
        "tokenizers": [
            {
                "name": t.name,
                "size": t.folder.size,
                "kind": t.folder.kind.replace("_", " "),
                "boxes": [[asdict(box) for box in t.boxes(text)] for text in texts],
                "entries": _entries(t),
            }
            for t in tokenizers
        ],
    }
    template = (resources.files("refinery.vocabulary") / "view.html").read_text("utf-8")
    safe = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return template.replace(
        "{{TITLE}}", html.escape(" and ".join(t.name for t in tokenizers))
    ).replace("{{DATA}}", safe)


def _entries(viewed: ViewedTokenizer) -> list[list[str | int]]:
    """[id, text, entry, origin] of each id: what the page's look-up searches."""
    entries = sorted(viewed.folder.vocab.items(), key=lambda item: item[1])
    return [
        [number, viewed._text(piece), piece, viewed._origin(number, piece)]
        for piece, number in entries
    ]
