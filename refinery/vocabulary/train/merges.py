"""BPE over characters or bytes from counted clauses.

The library chooses among equally frequent characters by the order of a hash map that differs from
run to run. So the alphabet is chosen here, by (count, text); with it, merges depend on counts alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from refinery.tokenizers.tokenizer_json import SPACE
from refinery.vocabulary.config import TrainConfig
from refinery.vocabulary.train.byte_level_bpe import special_tokens
from schemas.errors import ContractError

Clauses = Sequence[tuple[str, int]]
UNKNOWN = "<unk>"
BYTE_PIECES = tuple(f"<0x{byte:02X}>" for byte in range(256))
_CHUNK = 1000
_NORMALIZERS: dict[str, list[Any]] = {
    "identity": [],
    "nfc": [normalizers.NFC()],
    "nfkc": [normalizers.NFKC()],
    "nfkc_lower": [normalizers.NFKC(), normalizers.Lowercase()],
}


def train_merges(clauses: Clauses, config: TrainConfig) -> Tokenizer:
    """A BPE whose symbols are bytes (`byte_level_bpe`) or characters (`bpe`)."""
    digits = [pre_tokenizers.Digits(individual_digits=True)] if config.split_digits else []
    if config.kind == "byte_level_bpe":
        tokenizer = Tokenizer(models.BPE())
        splits = [*digits, pre_tokenizers.ByteLevel(add_prefix_space=False)]
        tokenizer.decoder = decoders.ByteLevel()
    else:
        tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, fuse_unk=True))
        splits = [*digits, pre_tokenizers.Metaspace(prepend_scheme="never")]
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits)
    steps = _NORMALIZERS[config.normalization]
    special = special_tokens(config.sentinels)
    if config.kind == "byte_level_bpe":
        size, alphabet = config.size, pre_tokenizers.ByteLevel.alphabet()
        tokenizer.normalizer = _sequence(steps)
    else:
        normalise = normalizers.Sequence(steps).normalize_str if steps else str
        clauses = [(normalise(clause).replace(" ", SPACE), count) for clause, count in clauses]
        special = [*special, UNKNOWN]
        size = config.size - (len(BYTE_PIECES) if config.falls_back_on_bytes else 0)
        alphabet = choose_alphabet(clauses, config, room=size - len(special))
        clauses = list(cut_outside(clauses, set(alphabet)))
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=special,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    tokenizer.train_from_iterator(repeated(clauses), trainer)
    # White space is tidied from here on only: in training, the space before a clause marks a word's start.
    tokenizer.normalizer = _sequence(normalizer_steps(config))
    if config.kind == "bpe" and config.falls_back_on_bytes:
        return _with_bytes(tokenizer)
    return tokenizer


def _sequence(steps: list[Any]) -> normalizers.Normalizer | None:
    return normalizers.Sequence(steps) if steps else None


def normalizer_steps(config: TrainConfig) -> list[Any]:
    """Normalisers for the settings `normalization` and `keep_spaces`, in their order."""
    steps = list(_NORMALIZERS[config.normalization])
    if not config.keeps_spaces and config.kind != "wordpiece":
        steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    return steps


def choose_alphabet(
    clauses: Iterable[tuple[str, int]], config: TrainConfig, *, room: int
) -> list[str]:
    """The most frequent characters up to the coverage, ties by code point, at most nine tenths of `room`.

    Raises:
        ContractError: Special tokens and byte pieces leave no room for characters.
    """
    counts: Counter[str] = Counter()
    for clause, count in clauses:
        for character in clause:
            counts[character] += count
    if room < 1:
        raise ContractError(
            f"vocabulary: size {config.size:,} leaves {room:,} ids for characters beside special tokens "
            "and byte pieces; expected a larger size"
        )
    wanted = config.coverage * counts.total()
    alphabet: list[str] = []
    for character in sorted(counts, key=lambda c: (-counts[c], c)):
        if wanted <= 0 or len(alphabet) >= max(1, room * 9 // 10):
            break
        alphabet.append(character)
        wanted -= counts[character]
    return alphabet


def cut_outside(
    clauses: Iterable[tuple[str, int]], alphabet: Collection[str]
) -> Iterator[tuple[str, int]]:
    """Cut clauses at characters outside the alphabet; the library would merge across them."""
    for clause, count in clauses:
        kept = "".join(c if c in alphabet else "\0" for c in clause)
        yield from ((part, count) for part in kept.split("\0") if part)


def repeated(clauses: Iterable[tuple[str, int]]) -> Iterator[list[str]]:
    """Each clause as often as it occurs, in lists of 1,000: the library's trainer takes no counts."""
    chunk: list[str] = []
    for clause, count in clauses:
        while count > 0:
            take = min(count, _CHUNK - len(chunk))
            chunk.extend([clause] * take)
            count -= take
            if len(chunk) == _CHUNK:
                yield chunk
                chunk = []
    yield chunk


def _with_bytes(tokenizer: Tokenizer) -> Tokenizer:
    """Add a piece for each byte behind all others, used instead of the unknown token."""
    definition = json.loads(tokenizer.to_str())
    vocab = definition["model"]["vocab"]
    for piece in BYTE_PIECES:
        vocab.setdefault(piece, len(vocab))
    definition["model"]["byte_fallback"] = True
    definition["decoder"] = {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
        ],
    }
    return Tokenizer.from_str(json.dumps(definition))
