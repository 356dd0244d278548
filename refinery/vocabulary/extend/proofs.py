"""Proofs that an extension changed nothing else, run every time.

Each returns how much was checked, how many failures it met and examples; docs/vocabulary.md states the
arguments behind them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from refinery.tokenizers.byte_characters import piece_bytes
from refinery.tokenizers.folder import TokenizerFolder, build_tokenizer
from refinery.tokenizers.sentencepiece_file import NORMAL
from refinery.vocabulary.extend.append import Extension
from refinery.vocabulary.extend.scripts import NewCharacters, utf8_length
from refinery.vocabulary.extend.select_candidates import crosses_boundary
from schemas.vocabulary import Proof

MAX_EXAMPLES = 5
BATCH_LINES = 2000
_CONTEXTS = ("{}", "\n{}", "a{}", " {}")
_MORE_CONTEXTS = tuple(f"{letter}{{}}" for letter in "bcdefghijklmnopqrstuvwxyzAEIOSTX1.")
_INNER = tuple(
    f"{letter}{{}}" for letter in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
)


@dataclass(frozen=True)
class Samples:
    """Lines of text: the base's language, the new one, every other script, and any Unicode."""

    base: Sequence[str]
    new: Sequence[str]
    other: Sequence[str]
    random: Sequence[str]


@dataclass(frozen=True)
class Case:
    """A base, its extension before it is published, and the texts to compare them on."""

    base: TokenizerFolder
    extension: Extension
    new: NewCharacters
    samples: Samples

    @property
    def tokenizer(self) -> Tokenizer:
        """The extended tokenizer for plain text."""
        return build_tokenizer(self.extension.definition)


def prove(case: Case, *, base_folder: Path, folder: Path, allow: Sequence[str]) -> list[Proof]:
    """Run all proofs on the written folders; `allow` names those that may fail."""
    tokenizer = case.tokenizer
    proofs = [
        prove_ids(case, tokenizer),
        prove_tokens_hold_new_characters(case),
        prove_base_text(case, tokenizer),
        prove_reachable(case, tokenizer),
        prove_libraries(case, tokenizer, base_folder=base_folder, folder=folder),
        prove_round_trip(case, tokenizer),
        prove_boundaries(case),
        prove_scores(case),
        prove_special_tokens(case, tokenizer),
    ]
    return [
        proof.model_copy(update={"allowed": not proof.holds and proof.name in allow})
        for proof in proofs
    ]


PROOF_NAMES = (
    "ids",
    "new_characters",
    "base_text",
    "reachable",
    "libraries",
    "round_trip",
    "boundaries",
    "scores",
    "controls",
)


def _proof(name: str, checked: int, failures: list[str], detail: str) -> Proof:
    return Proof(
        name=name,
        holds=not failures,
        checked=checked,
        failures=len(failures),
        detail=detail,
        examples=tuple(failure[:200] for failure in failures[:MAX_EXAMPLES]),
    )


def prove_ids(case: Case, tokenizer: Tokenizer) -> Proof:
    """Every base entry, special tokens and sentinels included, keeps its id."""
    vocab = tokenizer.get_vocab(with_added_tokens=True)
    moved = [
        f"{text!r}: {number} -> {vocab.get(text)}"
        for text, number in case.base.vocab.items()
        if vocab.get(text) != number
    ]
    expected = {t.piece: case.base.size + n for n, t in enumerate(case.extension.tokens)}
    moved += [f"{t!r}: not at {n}" for t, n in expected.items() if vocab.get(t) != n]
    detail = f"ids 0..{case.base.size - 1} stay, new ids {case.base.size}..{len(expected) + case.base.size - 1}"
    return _proof("ids", len(case.base.vocab) + len(expected), moved, detail)


def prove_tokens_hold_new_characters(case: Case) -> Proof:
    """Every new entry holds a character of the new scripts, or a UTF-8 prefix that only they have."""
    failures = []
    for token in case.extension.tokens:
        if case.base.kind == "byte_level_bpe":
            holds = case.new.held_by_bytes(piece_bytes(token.piece) or b"")
        else:
            holds = case.new.held_by(token.piece)
        if not holds:
            failures.append(repr(token.piece))
    detail = (
        f"each holds one of {len(case.new.characters):,} characters of {', '.join(case.new.names)}"
    )
    return _proof("new_characters", len(case.extension.tokens), failures, detail)


def prove_base_text(case: Case, tokenizer: Tokenizer) -> Proof:
    """Text without the new characters gives the same ids."""
    lines = [
        line
        for line in (*case.samples.base, *case.samples.other)
        if line and not case.new.held_by(line)
    ]
    failures = [
        repr(line)
        for line, before, after in zip(
            lines, encode(case.base.tokenizer, lines), encode(tokenizer, lines), strict=True
        )
        if before != after
    ]
    detail = "lines without a new character, ids compared"
    if not lines:
        detail = "no line is without a new character: all scripts are new, so any text may change"
    return _proof("base_text", len(lines), failures, detail)


def encode(tokenizer: Tokenizer, lines: Sequence[str]) -> Iterator[list[int]]:
    """Ids of each line, in batches."""
    for start in range(0, len(lines), BATCH_LINES):
        batch = list(lines[start : start + BATCH_LINES])
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            yield encoding.ids


def prove_reachable(case: Case, tokenizer: Tokenizer) -> Proof:
    """For every new id there is a text whose encoding holds it."""
    size = case.base.size
    texts = {size + n: _texts(t.text, t.piece, case) for n, t in enumerate(case.extension.tokens)}
    missing = set(texts)
    after_space = 0
    for context in (*_CONTEXTS, *_MORE_CONTEXTS, *_INNER):
        wanted = sorted(missing) if context != " {}" else sorted(texts)
        pairs = [(number, context.format(text)) for number in wanted for text in texts[number]]
        reached = {
            number
            for (number, _), ids in zip(
                pairs, encode(tokenizer, [text for _, text in pairs]), strict=True
            )
            if number in ids
        }
        after_space = len(reached) if context == " {}" else after_space
        missing -= reached
        if not missing and context != _CONTEXTS[0] and after_space:
            break
    failures = [repr(case.extension.tokens[number - size].piece) for number in sorted(missing)]
    share = after_space / max(1, len(texts))
    detail = (
        f"alone or after a line break, a letter or a space; {share:.1%} are reached after a space"
    )
    return _proof("reachable", len(texts), failures, detail)


def _texts(text: str, piece: str, case: Case) -> list[str]:
    """Texts that may hold the token: its own, or whole characters around its bytes."""
    if case.base.kind != "byte_level_bpe":
        return [text]
    data = piece_bytes(piece) or b""
    try:
        return [data.decode()]
    except UnicodeDecodeError:
        return list(_completions(data))


def _completions(data: bytes) -> Iterator[str]:
    """Texts of whole characters that hold the bytes: each way to complete a character cut at an end."""
    leading = next((n for n, byte in enumerate(data) if utf8_length(byte)), len(data))
    heads = list(_heads(leading)) if leading else [b""]
    for head in heads:
        for tail in _tails(data):
            try:
                yield (head + data + tail).decode()
            except UnicodeDecodeError:
                continue


def _heads(num_continuations: int) -> Iterator[bytes]:
    """Beginnings of characters that end in so many continuation bytes."""
    if num_continuations == 1:
        yield from (bytes([lead]) for lead in range(0xC2, 0xE0))
        yield from (bytes([lead, mid]) for lead in range(0xE0, 0xF0) for mid in range(0x80, 0xC0))
    elif num_continuations == 2:
        yield from (bytes([lead]) for lead in range(0xE0, 0xF0))
        yield from (bytes([0xF0, mid]) for mid in range(0x90, 0xC0))
    else:
        yield from (bytes([lead]) for lead in range(0xF0, 0xF5))


def _tails(data: bytes) -> Iterator[bytes]:
    """Bytes that complete the last character: all of them, or some where two or three are missing."""
    for start in range(len(data) - 1, max(-1, len(data) - 4), -1):
        length = utf8_length(data[start])
        if length == 0:
            continue
        missing = length - (len(data) - start)
        if missing <= 0:
            break
        for byte in range(0x80, 0xC0):
            if missing == 1:
                yield bytes([byte])
            else:
                yield from (bytes([byte, *[last] * (missing - 1)]) for last in range(0x80, 0xC0, 9))
        return
    yield b""


def prove_libraries(case: Case, tokenizer: Tokenizer, *, base_folder: Path, folder: Path) -> Proof:
    """The bare library and `AutoTokenizer` agree wherever they agreed with the base."""
    lines = [*case.samples.base, *case.samples.new]
    failures, already = [], 0
    before_pair = (
        _bare(case.base.tokenizer, case.base.model.raw if case.base.model else None),
        _auto(base_folder),
    )
    after_pair = (_bare(tokenizer, case.extension.model_bytes), _auto(folder))
    for start in range(0, len(lines), BATCH_LINES):
        batch = lines[start : start + BATCH_LINES]
        before = list(zip(*(encoder(batch) for encoder in before_pair), strict=True))
        after = zip(*(encoder(batch) for encoder in after_pair), strict=True)
        for line, old, fresh in zip(batch, before, after, strict=True):
            already += old[0] != old[1]
            if fresh[0] != fresh[1] and old[0] == old[1]:
                failures.append(repr(line))
    detail = f"bare library against AutoTokenizer; {already:,} lines differed with the base already"
    return _proof("libraries", len(lines), failures, detail)


_Encoder = Callable[[Sequence[str]], list[list[int]]]


def _bare(tokenizer: Tokenizer, model: bytes | None) -> _Encoder:
    if model is None:
        return lambda lines: list(encode(tokenizer, lines))
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return lambda lines: [processor.encode(line) for line in lines]


def _auto(folder: Path) -> _Encoder:
    from transformers import AutoTokenizer

    loaded: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)

    def run(lines: Sequence[str]) -> list[list[int]]:
        # Lines are only compared, never fed to a model: no warning about their length.
        ids: list[list[int]] = loaded(list(lines), add_special_tokens=False, verbose=False)[
            "input_ids"
        ]
        return ids

    return run


def prove_round_trip(case: Case, tokenizer: Tokenizer) -> Proof:
    """Decoding is never worse than with the base; exact where the base has bytes to fall back on."""
    lines = [*case.samples.random, *case.samples.new[:1000]]
    base = case.base.tokenizer
    failures, exact = [], 0
    is_exact_kind = case.base.kind == "byte_level_bpe"
    for line, old_ids, ids in zip(
        lines, encode(base, lines), encode(tokenizer, lines), strict=True
    ):
        old, fresh = (
            t.decode(i, skip_special_tokens=False) for t, i in ((base, old_ids), (tokenizer, ids))
        )
        exact += fresh == line
        is_worse = _distance(fresh, line, case) > _distance(old, line, case)
        if is_worse or (is_exact_kind and base.normalizer is None and fresh != line):
            failures.append(repr(line))
    detail = f"decoded again: {exact:,} of {len(lines):,} lines exactly, the others as the base or better"
    return _proof("round_trip", len(lines), failures, detail)


def _distance(decoded: str, line: str, case: Case) -> int:
    """How far a decoded line is from the line: 0 equal, 1 but for spaces, else 2 and the characters
    lost or invented.
    """
    if case.base.unk_id is not None:
        unknown = next(t for t, n in case.base.vocab.items() if n == case.base.unk_id)
        decoded = decoded.replace(unknown, "")
    normaliser = case.base.text_normalizer
    expected = line if normaliser is None else normaliser.normalize_str(line)
    if decoded == expected:
        return 0
    got, wanted = (re.sub(r"\s+", "", text) for text in (decoded, expected))
    if got == wanted:
        return 1
    a, b = Counter(got), Counter(wanted)
    return 2 + ((a - b) + (b - a)).total()


def prove_boundaries(case: Case) -> Proof:
    """No new token crosses what the base's normaliser and pre-tokenizer split."""
    failures, checked = [], 0
    for token in case.extension.tokens:
        if "\ufffd" in token.text:
            continue
        checked += 1
        if crosses_boundary(token.text, case.base, is_inner=token.piece.startswith("##")):
            failures.append(repr(token.text))
    return _proof("boundaries", checked, failures, "each text is one pre-token of the base")


def prove_scores(case: Case) -> Proof:
    """New tokens rank behind the base (BPE) or not below its minimum (Unigram); no two are equal."""
    tokens, base = case.extension.tokens, case.base
    if base.kind == "wordpiece" or (base.model is None and base.kind != "sentencepiece_unigram"):
        merges = case.extension.definition["model"].get("merges", [])
        old = base.definition["model"].get("merges", [])
        failures = [] if merges[: len(old)] == old else ["the base's merges are no prefix"]
        return _proof("scores", len(merges), failures, "merges follow the base's")
    scores = [float(token.score or 0.0) for token in tokens]
    if base.kind == "sentencepiece_unigram":
        entries = base.definition["model"]["vocab"]
        ordinary = [s for text, s in entries if text not in base.special_tokens]
        failures = [repr(t.piece) for t, s in zip(tokens, scores, strict=True) if s < min(ordinary)]
        rule = "none below the base's minimum"
    else:
        assert base.model is not None
        ordinary = [p.score for p in base.model.pieces if p.type == NORMAL and p.text.strip("▁")]
        failures = [
            repr(t.piece) for t, s in zip(tokens, scores, strict=True) if s >= min(ordinary)
        ]
        rule = "all below the base's lowest"
    twice = len(scores) - len(set(scores)) + len(set(scores) & set(ordinary))
    failures += ["equal scores"] * twice
    return _proof("scores", len(scores), failures, f"{rule}, no two equal")


def prove_special_tokens(case: Case, tokenizer: Tokenizer) -> Proof:
    """Special tokens written in a page stay text."""
    ids = case.base.special_tokens
    unknown = case.base.unk_id
    # "[UNK]" may be what the model answers to any text it does not know.
    texts = [text for text, number in ids.items() if number != unknown]
    lines = [form.format(text) for text in texts for form in ("{}", "a {} b", "中{}国")]
    wanted = [ids[text] for text in texts for _ in range(3)]
    failures = [
        repr(line)
        for line, number, line_ids in zip(lines, wanted, encode(tokenizer, lines), strict=True)
        if number in line_ids
    ]
    return _proof("controls", len(lines), failures, "control tokens as plain text")
