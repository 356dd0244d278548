"""Which texts of a donor a base may take, and why the others may not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import regex

from refinery.tokenizers.byte_characters import to_byte_piece
from refinery.tokenizers.folder import TokenizerFolder
from refinery.tokenizers.tokenizer_json import SPACE
from refinery.vocabulary.extend.donor import Candidate
from refinery.vocabulary.extend.scripts import NewCharacters

# These reasons are counted in vocabulary.json, whose bytes are part of the tokenizer's hash.
OTHER_SCRIPTS = "holds no character of the new scripts"
KNOWN = "already in the base"
CROSSES = "crosses what the base's normaliser and pre-tokenizer split"
SPELT_LIKE_SPECIAL_TOKEN = "spelt like a control token"
NORMALISED_AWAY = "nothing left after the base's normaliser"
_IDEOGRAPH = regex.compile(r"\p{Script=Han}")


@dataclass(frozen=True)
class Entry:
    """A text as an entry of the base's vocabulary."""

    piece: str
    text: str
    score: float | None


@dataclass(frozen=True)
class Selection:
    """Entries in the donor's order and refusals by reason."""

    entries: tuple[Entry, ...]
    refused: dict[str, int]


def select_entries(
    candidates: Iterable[Candidate], base: TokenizerFolder, new: NewCharacters, *, exact: bool
) -> Selection:
    """Normalise candidates as the base does and keep those that it can take.

    Args:
        exact: Take texts of all scripts and across boundaries too; the proofs say what breaks.
    """
    refused: Counter[str] = Counter()
    taken: dict[str, Entry] = {}
    for candidate in candidates:
        text = normalise(candidate.text, base)
        if not text.strip():
            refused[NORMALISED_AWAY] += 1
            continue
        piece = _piece(text, base, is_inner=candidate.is_inner)
        if piece in taken or piece in base.vocab:
            refused[KNOWN] += 1
        elif piece in base.special_tokens or any(
            special in text for special in base.special_tokens
        ):
            refused[SPELT_LIKE_SPECIAL_TOKEN] += 1
        elif not exact and not new.held_by(text):
            refused[OTHER_SCRIPTS] += 1
        elif not exact and crosses_boundary(text, base, is_inner=piece.startswith("##")):
            refused[CROSSES] += 1
        else:
            taken[piece] = Entry(piece, text, candidate.score)
    return Selection(tuple(taken.values()), dict(refused))


def _piece(text: str, base: TokenizerFolder, *, is_inner: bool) -> str:
    if base.kind == "byte_level_bpe":
        return to_byte_piece(text)
    if base.kind == "wordpiece":
        # A donor that marks spaces marks word starts; ideographs stand alone under BERT's splitting.
        alone = not is_inner or bool(_IDEOGRAPH.match(text))
        return text.strip() if alone else f"##{text}"
    return text.replace(" ", SPACE)


def normalise(text: str, base: TokenizerFolder) -> str:
    """The text after the base's normaliser, its word start still a space."""
    normaliser = base.text_normalizer
    changed: str = text if normaliser is None else normaliser.normalize_str(text)
    return changed.strip() if base.kind == "wordpiece" else changed


def crosses_boundary(text: str, base: TokenizerFolder, *, is_inner: bool = False) -> bool:
    """Whether the base would split the text before its model sees it."""
    if " " in text[1:]:
        return True
    splitter = base.tokenizer.pre_tokenizer
    if is_inner:
        text = normalise(f"a{text}", base)
    return splitter is not None and len(splitter.pre_tokenize_str(text)) != 1
