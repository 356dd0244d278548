"""Donors: tokenizers as ordered lists of texts that a base may take.

A leading space stands for SentencePiece's and byte-level BPE's word start; `is_inner` for WordPiece's
`##`. Special tokens of a donor never come along.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from refinery.tokenizers.byte_characters import piece_bytes
from refinery.tokenizers.folder import TokenizerFolder, read_tokenizer
from refinery.tokenizers.sentencepiece_file import BYTE, NORMAL
from refinery.tokenizers.tokenizer_json import SPACE
from schemas.errors import ContractError, SettingsError
from schemas.vocabulary import Kind

# These reasons are counted in vocabulary.json, whose bytes are part of the tokenizer's hash.
PARTIAL = "no whole characters"
SPECIAL_TOKEN_OF_DONOR = "control token of the donor"
BYTE_PIECE = "byte piece of the donor"
SPECIAL_TOKEN_OF_BASE = "spelt like a control token of the base"


@dataclass(frozen=True)
class Candidate:
    """A text that may become a token; `score` is the donor's log probability, where it has one."""

    text: str
    score: float | None = None
    is_inner: bool = False


@dataclass(frozen=True)
class Donor:
    """A donor's candidates, best first, and how many entries are none, by reason."""

    name: str
    kind: Kind
    fingerprint: str
    candidates: tuple[Candidate, ...]
    refused: dict[str, int]


def read_donor(path: Path, base: TokenizerFolder) -> Donor:
    """Read a donor for a base.

    Raises:
        SettingsError: A WordPiece donor for another kind: its pieces do not say where spaces are.
        ContractError: One of its ordinary pieces is spelt like a special token of the base.
    """
    donor = read_tokenizer(path)
    if donor.kind == "wordpiece" and base.kind != "wordpiece":
        raise SettingsError(
            f"donor {path}: WordPiece, base {base.name}: {base.kind}; WordPiece entries carry no spaces "
            "and no merges. Expected a SentencePiece or byte-level donor, or `--train FILES`"
        )
    _refuse_clashes(donor, base, path)
    refused: dict[str, int] = {}
    candidates = []
    for candidate in _candidates(donor):
        if not isinstance(candidate, str) and candidate.text in base.special_tokens:
            candidate = SPECIAL_TOKEN_OF_BASE
        if isinstance(candidate, str):
            refused[candidate] = refused.get(candidate, 0) + 1
        else:
            candidates.append(candidate)
    if not candidates:
        raise ContractError(f"donor {path}: no ordinary piece among {donor.size:,} entries")
    return Donor(donor.name, donor.kind, donor.fingerprint, tuple(candidates), refused)


def _refuse_clashes(donor: TokenizerFolder, base: TokenizerFolder, path: Path) -> None:
    """Refuse a donor that gives a text another role than the base does, where both declare it.

    A `tokenizer.json` lists merged texts, and among them may be "</s>", from HTML or because the
    file names no special tokens (InternLM2, Gemma): left out and counted, and no error.
    """
    if donor.model is not None:
        ordinary = {p.text for p in donor.model.pieces if p.type == NORMAL} - set(
            donor.special_tokens
        )
    elif donor.kind == "wordpiece":
        ordinary = set(donor.vocab) - set(donor.special_tokens)
    else:
        ordinary = set()
    spelt = {text.strip(SPACE) for text in ordinary}
    clashes = sorted(text for text in base.special_tokens if text in spelt)
    if clashes:
        raise ContractError(
            f"donor {path}: its ordinary pieces {', '.join(clashes[:5])} are special tokens of the base "
            f"{base.name}; text holding them would become a special token. Expected a donor that has "
            "them as special tokens or not at all"
        )
    reverse = sorted(
        text
        for text in donor.special_tokens
        if text in base.vocab and text not in base.special_tokens
    )
    if reverse:
        raise ContractError(
            f"donor {path}: its special tokens {', '.join(reverse[:5])} are ordinary entries of the base "
            f"{base.name}; one text would have two meanings. Expected a donor without them"
        )


def _candidates(donor: TokenizerFolder) -> Iterator[Candidate | str]:
    """Candidates best first; for each other entry the reason why it is none."""
    if donor.kind in ("sentencepiece_bpe", "sentencepiece_unigram"):
        yield from _sentencepiece(donor)
        return
    for piece in sorted(donor.vocab, key=lambda entry: donor.vocab[entry]):
        if piece in donor.special_tokens:
            yield SPECIAL_TOKEN_OF_DONOR
        elif donor.kind == "wordpiece":
            inner = piece.startswith("##") and len(piece) > 2
            yield Candidate(piece[2:] if inner else piece, is_inner=inner)
        else:
            yield _byte_level(piece)


def _byte_level(piece: str) -> Candidate | str:
    data = piece_bytes(piece)
    if data is None:
        return SPECIAL_TOKEN_OF_DONOR
    try:
        return Candidate(data.decode())
    except UnicodeDecodeError:
        return PARTIAL


def _sentencepiece(donor: TokenizerFolder) -> Iterator[Candidate | str]:
    entries: list[tuple[str, float]] = []
    if donor.model is not None:
        for piece in donor.model.pieces:
            if piece.type == BYTE:
                yield BYTE_PIECE
            elif piece.type != NORMAL or piece.text in donor.special_tokens:
                yield SPECIAL_TOKEN_OF_DONOR
            else:
                entries.append((piece.text, piece.score))
    else:
        for text, score in _scores(donor):
            if text in donor.special_tokens:
                yield SPECIAL_TOKEN_OF_DONOR
            elif len(text) == 6 and text.startswith("<0x"):
                yield BYTE_PIECE
            else:
                entries.append((text, score))
    is_probability = donor.kind == "sentencepiece_unigram"
    for text, score in sorted(entries, key=lambda entry: (-entry[1], entry[0])):
        yield Candidate(text.replace(SPACE, " "), score if is_probability else None)


def _scores(donor: TokenizerFolder) -> list[tuple[str, float]]:
    model = donor.definition["model"]
    if donor.kind == "sentencepiece_unigram":
        return [(text, score) for text, score in model["vocab"]]
    ranks = {a + b: -float(rank) for rank, (a, b) in reversed(list(enumerate(model["merges"])))}
    last = -float(len(model["merges"]))
    return [(text, ranks.get(text, last - number)) for text, number in model["vocab"].items()]
