"""Extend a base tokenizer: candidates to appended tokens, tokens to a `tokenizer.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refinery.tokenizers.byte_characters import piece_bytes, to_byte_piece
from refinery.tokenizers.folder import TokenizerFolder, build_tokenizer
from refinery.tokenizers.sentencepiece_file import CONTROL, NORMAL, Piece
from refinery.tokenizers.tokenizer_json import SPACE, merges_of_scores
from refinery.vocabulary.config import ExtendConfig
from refinery.vocabulary.extend.added_token import AddedToken
from refinery.vocabulary.extend.bpe_merges import BpeVocabulary, append_characters, append_piece
from refinery.vocabulary.extend.donor import Candidate
from refinery.vocabulary.extend.scripts import NewCharacters
from refinery.vocabulary.extend.select_candidates import Entry, select_entries
from refinery.vocabulary.extend.unigram_scores import rank_scores, score_pieces
from schemas.errors import ContractError, SettingsError

BEYOND_SIZE = "beyond the size"
SAVES_LITTLE = "saves less than min_gain"
NO_PIECE = "no piece is left to take"


@dataclass(frozen=True)
class Extension:
    """An extended tokenizer before it is proven and written."""

    tokens: tuple[AddedToken, ...]
    definition: dict[str, Any]
    model_bytes: bytes | None
    refused: dict[str, int]


def extend(
    base: TokenizerFolder,
    candidates: Iterable[Candidate],
    *,
    new: NewCharacters,
    config: ExtendConfig,
    sample: Sequence[str] = (),
) -> Extension:
    """Append what the base can take; `sample` is needed for `min_gain` only.

    Raises:
        SettingsError: A size that leaves no room.
        ContractError: Nothing of the donor can be taken; the reasons are counted.
    """
    if config.size is not None and config.size <= base.size:
        raise SettingsError(
            f"size {config.size:,}: the base {base.name} has {base.size:,} ids already; expected more"
        )
    selection = select_entries(candidates, base, new, exact=config.exact)
    refused = Counter(selection.refused)
    room = None if config.size is None else config.size - base.size
    tokens = _append(base, selection.entries, new, room=room, config=config, refused=refused)
    if config.min_gain is not None:
        gains = _count_gains(base, tokens, sample)
        kept = [e for e in selection.entries if gains.get(e.piece, 0) >= config.min_gain]
        refused[SAVES_LITTLE] += len(selection.entries) - len(kept)
        tokens = _append(base, kept, new, room=room, config=config, refused=refused)
    if not tokens:
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in refused.most_common())
        raise ContractError(f"base {base.name}: {NO_PIECE} ({reasons or 'the donor is empty'})")
    definition, model_bytes, tokens = _build(base, tokens)
    return Extension(tuple(tokens), definition, model_bytes, dict(refused))


def _count_gains(
    base: TokenizerFolder, tokens: Sequence[AddedToken], sample: Sequence[str]
) -> dict[str, int]:
    """Tokens that each piece saves on the sample: its occurrences times (parts - 1), at least one each."""
    definition, _, _ = _build(base, list(tokens))
    counts = count_ids(definition, sample)
    return {
        token.piece: counts.get(base.size + index, 0) * max(1, token.parts - 1)
        for index, token in enumerate(tokens)
    }


def count_ids(definition: dict[str, Any], sample: Sequence[str]) -> Counter[int]:
    """Occurrences of each id in the encoded sample."""
    tokenizer = build_tokenizer(definition)
    counts: Counter[int] = Counter()
    for start in range(0, len(sample), 1000):
        lines = list(sample[start : start + 1000])
        for encoding in tokenizer.encode_batch_fast(lines, add_special_tokens=False):
            counts.update(encoding.ids)
    return counts


def _append(
    base: TokenizerFolder,
    entries: Sequence[Entry],
    new: NewCharacters,
    *,
    room: int | None,
    config: ExtendConfig,
    refused: Counter[str],
) -> list[AddedToken]:
    if base.kind == "wordpiece":
        kept = entries if room is None else entries[:room]
        refused[BEYOND_SIZE] += len(entries) - len(kept)
        return [AddedToken(piece=e.piece, text=e.text, origin="new") for e in kept]
    if base.kind == "sentencepiece_unigram":
        return _append_unigram(base, entries, new, room=room, refused=refused)
    vocabulary = _bpe_vocabulary(base)
    grow = _grow_exactly if config.exact else _grow
    for index, entry in enumerate(entries):
        before = len(vocabulary.added)
        reason = grow(vocabulary, entry, base, new)
        if reason is not None or (room is not None and len(vocabulary.added) > room):
            vocabulary.undo(before)
        if reason is not None:
            refused[reason] += 1
        elif (
            room is not None
            and len(vocabulary.added) == before
            and entry.piece not in (vocabulary.pieces)
        ):
            refused[BEYOND_SIZE] += len(entries) - index
            break
    wanted = {entry.piece: entry.text for entry in entries}
    return [
        replace(token, origin="new", text=wanted[token.piece])
        if token.piece in wanted
        else replace(token, text=readable(token.piece, base))
        for token in vocabulary.added
    ]


def _append_unigram(
    base: TokenizerFolder,
    entries: Sequence[Entry],
    new: NewCharacters,
    *,
    room: int | None,
    refused: Counter[str],
) -> list[AddedToken]:
    special = set(base.special_tokens)
    vocab = base.definition["model"]["vocab"]
    scores = {text: score for text, score in vocab if text not in special}
    ranked = rank_scores(len(entries))
    kept = list(entries)
    while True:
        characters = sorted({c for entry in kept for c in entry.text if c in new.characters})
        pieces = [(e.piece, e.text, e.score or ranked[n]) for n, e in enumerate(kept)]
        tokens = score_pieces(pieces, base_scores=scores, characters=characters)
        if room is None or len(tokens) <= room:
            break
        kept = kept[: max(0, len(kept) - max(1, len(tokens) - room))]
        if not kept:
            break
    refused[BEYOND_SIZE] += len(entries) - len(kept)
    return tokens if kept else []


def _bpe_vocabulary(base: TokenizerFolder) -> BpeVocabulary:
    if base.model is not None:
        ordinary = [p for p in base.model.pieces if p.type == NORMAL]
        ranked = sorted(ordinary, key=lambda p: -p.score)
        by_text = {p.text: rank for rank, p in enumerate(ranked) if len(p.text) > 1}
        return BpeVocabulary({p.text for p in ordinary}, by_text, by_text=True)
    merges = base.definition["model"]["merges"]
    pairs: dict[tuple[str, str], int] = {}
    for rank, (left, right) in enumerate(merges):
        pairs.setdefault((left, right), rank)
    return BpeVocabulary(set(base.vocab) - set(base.special_tokens), pairs, by_text=False)


def _holds(base: TokenizerFolder, new: NewCharacters) -> Callable[[str], bool]:
    if base.kind == "byte_level_bpe":
        return lambda piece: new.held_by_bytes(piece_bytes(piece) or b"")
    return new.held_by


def _grow(
    vocabulary: BpeVocabulary, entry: Entry, base: TokenizerFolder, new: NewCharacters
) -> str | None:
    holds = _holds(base, new)
    if base.kind == "byte_level_bpe":
        for character in entry.text:
            if character in new.characters and (piece := to_byte_piece(character)) != entry.piece:
                reason = append_piece(vocabulary, piece, holds=holds, text=character)
                if reason is not None:
                    return reason
        return append_piece(vocabulary, entry.piece, holds=holds, text=entry.text)
    reason = append_characters(vocabulary, entry.piece, new)
    return reason or append_piece(vocabulary, entry.piece, holds=holds, text=entry.text)


def _grow_exactly(
    vocabulary: BpeVocabulary, entry: Entry, base: TokenizerFolder, new: NewCharacters
) -> str | None:
    """Append the piece as the donor has it: no support, whether or not it can be reached."""
    piece = entry.piece
    splits = [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))]
    known = [pair for pair in splits if set(pair) <= vocabulary.pieces]
    parts = vocabulary.encode(piece)
    merge = (parts[0], parts[1]) if len(parts) == 2 else next(iter(known), None)
    if merge is not None and not set(merge) <= vocabulary.pieces:
        merge = None
    vocabulary.append(AddedToken(piece=piece, text=entry.text, origin="new", merge=merge))
    return None


def readable(piece: str, base: TokenizerFolder) -> str:
    """The text of an entry, U+FFFD for bytes that are no whole character."""
    if base.kind == "byte_level_bpe":
        return (piece_bytes(piece) or b"").decode("utf-8", "replace")
    return piece.replace(SPACE, " ")


def _build(
    base: TokenizerFolder, tokens: list[AddedToken]
) -> tuple[dict[str, Any], bytes | None, list[AddedToken]]:
    """The contents of the extended `tokenizer.json`, the extended SentencePiece file, and the tokens with their scores."""
    model = dict(base.definition["model"])
    if base.model is not None:
        tokens = _with_scores(base, tokens)
    if base.kind == "sentencepiece_unigram":
        model["vocab"] = [*model["vocab"], *([t.piece, t.score] for t in tokens)]
    else:
        ids = {token.piece: base.size + index for index, token in enumerate(tokens)}
        model["vocab"] = {**model["vocab"], **ids}
    if "merges" in model:
        model["merges"] = _merges(base, tokens)
    return {**base.definition, "model": model}, _model_bytes(base, tokens), tokens


def _with_scores(base: TokenizerFolder, tokens: list[AddedToken]) -> list[AddedToken]:
    """Strictly falling scores below the lowest base score that is not whitespace (BPE)."""
    if base.kind == "sentencepiece_unigram" or base.model is None:
        return tokens
    score = min(
        piece.score
        for piece in base.model.pieces
        if piece.type == NORMAL and piece.text.strip(SPACE)
    )
    scored = []
    for token in tokens:
        score = min(score - 1, float(np.nextafter(np.float32(score), np.float32(-np.inf))))
        score = float(np.float32(score))
        scored.append(replace(token, score=score))
    return scored


def _merges(base: TokenizerFolder, tokens: Sequence[AddedToken]) -> list[list[str]]:
    merges: list[list[str]] = base.definition["model"]["merges"]
    if base.model is None:
        return [*merges, *(list(token.merge) for token in tokens if token.merge is not None)]
    ordinary = [(p.text, p.score) for p in base.model.pieces if p.type == NORMAL]
    added = [(token.piece, token.score or 0.0) for token in tokens]
    return merges_of_scores(ordinary + added)


def _model_bytes(base: TokenizerFolder, tokens: Sequence[AddedToken]) -> bytes | None:
    """The base's model file with pieces appended, ids as in `tokenizer.json`.

    Ids between the model's end and the base's size (T5's sentinels) become pieces of the type CONTROL.

    Raises:
        ContractError: The model and `tokenizer.json` number their entries differently.
    """
    if base.model is None:
        return None
    by_id = {number: text for text, number in base.vocab.items()}
    moved = [n for n, p in enumerate(base.model.pieces) if by_id.get(n, p.text) != p.text]
    if moved or len(base.model.pieces) > base.size:
        first = moved[0] if moved else base.size
        raise ContractError(
            f"base {base.name}: id {first} is {base.model.pieces[first].text!r} in {base.model_name} and "
            f"{by_id.get(first)!r} in tokenizer.json; ids would move. Expected the same numbers in both"
        )
    between = range(len(base.model.pieces), base.size)
    special = [Piece(by_id.get(number, f"<unused_{number}>"), 0.0, CONTROL) for number in between]
    added = [Piece(token.piece, token.score or 0.0) for token in tokens]
    return base.model.with_pieces([*special, *added])
