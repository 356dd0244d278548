"""Noise of text and BPE-dropout, another one in each copy of a document.

A function of (seed, doc_id, copy) alone. The library's own dropout draws from a generator that cannot
be seeded, so merges are applied here, word by word.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from tokenizers import Tokenizer

from refinery.packing.config import NoiseConfig
from refinery.publish import storage
from refinery.text.boundaries import tokens_at
from refinery.text.list_columns import join_lists, split_lists
from refinery.tokenizers.identity import cached_tokenizer
from refinery.tokenizers.spelling import spell
from refinery.tokenizers.tokenise import MARKS
from schemas.errors import SettingsError

_SWAP, _DOUBLE, _LOSE = 0.25, 0.5, 0.75  # borders of the four kinds of misspelling
_LETTERS = np.frombuffer("abcdefghijklmnopqrstuvwxyz".encode("utf-32-le"), np.uint32)
_MARKED_WORD = re.compile("\u2581*[^\u2581]+|\u2581+")
_TO_FULL_WIDTH = 0xFEE0  # U+0021..U+007E lie as far below their full-width forms


def generator(seed: int, doc_id: str, copy: int) -> np.random.Generator:
    """The generator of one copy's noise, keyed by (seed, doc_id, copy)."""
    digest = hashlib.sha256(f"noise\x1f{seed}\x1f{doc_id}\x1f{copy}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def noisy_text(text: str, config: NoiseConfig, rng: np.random.Generator) -> str:
    """Misspell, re-case and widen characters of a text, in arrays of its code points."""
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32).copy()
    if config.case is not None and len(points):
        chosen = rng.random(len(points)) < config.case
        points[_is_letter(points) & chosen] ^= 0x20
    if config.spelling is not None and len(points):
        points = _misspelt(points, config.spelling, rng)
    if config.width is not None and len(points):
        chosen = rng.random(len(points)) < config.width
        points[(points > 0x20) & (points < 0x7F) & chosen] += _TO_FULL_WIDTH
    return points.tobytes().decode("utf-32-le")


def _is_letter(points: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    folded = points | 0x20
    return (folded >= 0x61) & (folded <= 0x7A)


def _misspelt(
    points: npt.NDArray[np.uint32], share: float, rng: np.random.Generator
) -> npt.NDArray[np.uint32]:
    """Chosen letters are swapped with the next one, doubled, lost, or replaced: a quarter each."""
    kind = rng.random(len(points))
    chosen = _is_letter(points) & (rng.random(len(points)) < share)
    other = _LETTERS[rng.integers(0, len(_LETTERS), len(points))]
    swap = np.flatnonzero(chosen[:-1] & _is_letter(points)[1:] & (kind[:-1] < _SWAP))
    # Where two neighbours are chosen to swap, only the first one does.
    swap = swap[np.diff(swap, prepend=-2) > 1]
    made = points.copy()
    made[swap], made[swap + 1] = points[swap + 1], points[swap]
    replaced = chosen & (kind >= _LOSE)
    made[replaced] = other[replaced]
    counts = np.ones(len(points), np.int64)
    counts[chosen & (kind >= _SWAP) & (kind < _DOUBLE)] = 2
    counts[chosen & (kind >= _DOUBLE) & (kind < _LOSE)] = 0
    return np.repeat(made, counts)


@dataclass(frozen=True)
class DropoutBpe:
    """Encode by BPE, leaving merges out at random (Provilkov et al. 2020, algorithm 1).

    Without dropout it gives the library's ids.
    """

    tokenizer: Tokenizer
    dropout: float
    _vocab: dict[str, int] = field(init=False)
    _ranks: dict[tuple[str, str], int] = field(init=False)

    def __post_init__(self) -> None:
        """Read the merges of the tokenizer.

        Raises:
            SettingsError: The tokenizer is no BPE.
        """
        model = json.loads(self.tokenizer.to_str())["model"]
        if model["type"] != "BPE":
            raise SettingsError(
                f"packing.noise.bpe_dropout needs a BPE tokenizer, this one is {model['type']}"
            )
        merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]
        object.__setattr__(self, "_vocab", model["vocab"])
        object.__setattr__(self, "_ranks", {merge: rank for rank, merge in enumerate(merges)})

    def encode(self, text: str, rng: np.random.Generator) -> npt.NDArray[np.int32]:
        """Ids of a text, without special tokens; words with an unknown character are left to the library."""
        tokenizer = self.tokenizer
        if tokenizer.normalizer is not None:
            text = tokenizer.normalizer.normalize_str(text)
        pre = tokenizer.pre_tokenizer
        if pre is not None:
            words = [word for word, _ in pre.pre_tokenize_str(text)]
        else:  # SentencePiece: words begin with marks, and no piece crosses from one into the next
            words = _MARKED_WORD.findall(text)
        draws = _Draws(rng)
        ids: list[int] = []
        for word in words:
            if all(character in self._vocab for character in word):
                ids += [self._vocab[piece] for piece in self._merged(list(word), draws)]
            else:
                ids += [token.id for token in tokenizer.model.tokenize(word)]
        return np.array(ids, np.int32)

    def _merged(self, pieces: list[str], draws: _Draws) -> list[str]:
        ranks, dropout = self._ranks, self.dropout
        while len(pieces) > 1:
            best, index = None, -1
            for number in range(len(pieces) - 1):
                rank = ranks.get((pieces[number], pieces[number + 1]))
                if rank is None or (best is not None and rank >= best):
                    continue
                # Pairs that rank behind the best so far need no draw: the distribution stays the same.
                if dropout == 0 or draws.next() >= dropout:
                    best, index = rank, number
            if best is None:
                break
            pieces[index : index + 2] = [pieces[index] + pieces[index + 1]]
        return pieces


class _Draws:
    """Uniform numbers, drawn in blocks: one call to numpy for each costs a microsecond."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._block: list[float] = []

    def next(self) -> float:
        """Draw one number in [0, 1)."""
        if not self._block:
            self._block = self._rng.random(1024).tolist()
        return self._block.pop()


@functools.lru_cache(maxsize=4)
def _bpe(tokenizer: Tokenizer, dropout: float) -> DropoutBpe:
    return DropoutBpe(tokenizer, dropout)


def _noisy_ids(
    input_ids: npt.NDArray[np.int32],
    tokenizer: Tokenizer,
    config: NoiseConfig,
    rng: np.random.Generator,
) -> npt.NDArray[np.int32]:
    """Decode ids, put noise into the text, and encode it again."""
    text = tokenizer.decode(input_ids.tolist(), skip_special_tokens=False)
    text = noisy_text(text, config, rng)
    if config.bpe_dropout is not None:
        return _bpe(tokenizer, config.bpe_dropout).encode(text, rng)
    ids = tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids
    return np.asarray(ids, np.int32)


def noise_copies(
    copies: DataFrame, tokenizer_uri: str, config: NoiseConfig, seed: int
) -> DataFrame:
    """`copies` with noised `input_ids` and their `num_tokens` from `config.first_copy` on."""
    run = functools.partial(_noise_batches, uri=tokenizer_uri, config=config, seed=seed)
    return copies.mapInArrow(run, copies.schema)


def _noise_batches(
    batches: Iterator[pa.RecordBatch], *, uri: str, config: NoiseConfig, seed: int
) -> Iterator[pa.RecordBatch]:
    tokenizer = cached_tokenizer(storage.local_copy(uri))
    for batch in batches:
        yield noise_batch(batch, tokenizer, config, seed)


def noise_batch(
    batch: pa.RecordBatch, tokenizer: Tokenizer, config: NoiseConfig, seed: int
) -> pa.RecordBatch:
    """Put noise into the rows of one batch; those of earlier copies stay as they are.

    Words and sentences are found again in what the noised tokens spell. Full-width stops end none.
    """
    arrays = split_lists(batch.column("input_ids"))
    marks = {
        name: split_lists(batch.column(name))
        for name in MARKS
        if name in batch.schema.names and batch.column(name).null_count < batch.num_rows
    }
    names, numbers = batch.column("doc_id").to_pylist(), batch.column("copy").to_pylist()
    for row, (doc_id, copy) in enumerate(zip(names, numbers, strict=True)):
        if copy >= config.first_copy:
            rng = generator(seed, doc_id, copy)
            arrays[row] = _noisy_ids(arrays[row], tokenizer, config, rng)
            spelled = spell(tokenizer, arrays[row]) if marks else None
            for name, starts in marks.items():
                assert spelled is not None
                starts[row] = tokens_at(MARKS[name](spelled.text), spelled.offsets[:, 1])
    changed = {name: join_lists(starts) for name, starts in {**marks, "input_ids": arrays}.items()}
    changed["num_tokens"] = pa.array([len(ids) for ids in arrays], pa.int32())
    columns = [changed.get(name, batch.column(name)) for name in batch.schema.names]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)
