"""Documents cut from files of real text: JSON lines with a field `text`, gzipped.

Raises:
    OSError: A file is not there. The default folder lies beside the repository and is no part of it.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

# Texts, labelled pages and tokenizers that measurements read by default.
DATA = Path(os.environ.get("TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
PIECE_CHARS, PAGE_CHARS = 4000, 6000
SHIFT_CHARS = 777
FILES_BY_LANGUAGE = {
    "en": ("books-en.jsonl.gz",),
    "zh": ("docs-zh.jsonl.gz", "history-zh.jsonl.gz"),
}


def read_texts(path: Path) -> Iterator[str]:
    """The texts of one file in their order."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"]


def read_pieces(path: Path, max_bytes: int) -> list[str]:
    """Pieces of 4,000 characters, of whole texts until `max_bytes` of UTF-8 are reached."""
    pieces: list[str] = []
    size = 0
    for text in read_texts(path):
        for start in range(0, len(text), PIECE_CHARS):
            pieces.append(text[start : start + PIECE_CHARS])
            size += len(pieces[-1].encode())
        if size >= max_bytes:
            break
    return pieces


def read_repeated(paths: Sequence[Path], num_bytes: int) -> list[str]:
    """Pieces of 6,000 characters, cut again at other offsets until there are enough bytes."""
    whole = [text for path in paths for text in read_texts(path)]
    pieces: list[str] = []
    size = shift = 0
    while size < num_bytes:
        for text in whole:
            for start in range(shift, len(text), PAGE_CHARS):
                pieces.append(text[start : start + PAGE_CHARS])
                size += len(pieces[-1].encode())
        shift += SHIFT_CHARS
    return pieces


def read_documents(folder: Path, names: Sequence[str], most_bytes: int) -> list[str]:
    """Documents of 2,000 to 6,000 characters, the same number of bytes from each file."""
    documents = []
    for name in names:
        taken = 0
        for text in read_texts(folder / name):
            if taken > most_bytes // len(names):
                break
            for piece in _page_lengths(text):
                documents.append(piece)
                taken += len(piece.encode())
                if taken > most_bytes // len(names):
                    break
    return documents


def _page_lengths(text: str) -> Iterator[str]:
    offset, turn = 0, 0
    while offset < len(text):
        size = 2000 + 1000 * (turn % 5)
        yield text[offset : offset + size]
        offset, turn = offset + size, turn + 1
