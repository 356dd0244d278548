"""Tokens of the items, packed: what a hit is confirmed against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.text.batch import (
    CJK,
    Codes,
    Hashes,
    Indices,
    TextBatch,
    fold_table,
    kind_table,
    offsets_of,
)

CHUNK_ITEMS = 2000


@dataclass(frozen=True)
class ItemWords:
    """Folded tokens of all items, without what stands between them.

    Attributes:
        codes: [C] code points of the tokens, one token after the other.
        token_offsets: [K + 1] first code point of each token.
        item_bounds: [I + 1] first token of each item.
    """

    codes: Codes
    token_offsets: Indices
    item_bounds: Indices

    @classmethod
    def of(cls, texts: Sequence[str]) -> tuple[ItemWords, Hashes]:
        """Cut texts into words; returns them and the [K] hashes of their tokens."""
        codes, lengths, counts, hashes = [], [], [], []
        for chunk in _chunks(texts):
            batch = TextBatch.of(chunk)
            inside = np.zeros(len(batch.codes) + 1, np.int32)
            np.add.at(inside, batch.token_starts, 1)
            np.add.at(inside, batch.token_ends, -1)
            codes.append(fold_table()[batch.codes[np.cumsum(inside[:-1]) > 0]])
            lengths.append(batch.token_ends - batch.token_starts)
            counts.append(batch.num_tokens)
            hashes.append(batch.token_hashes)
        none = np.zeros(0, np.int64)
        return (
            cls(
                np.concatenate([np.zeros(0, np.uint32), *codes]),
                offsets_of(np.concatenate([none, *lengths])),
                offsets_of(np.concatenate([none, *counts])),
            ),
            np.concatenate([np.zeros(0, np.uint64), *hashes]),
        )

    @property
    def num_tokens(self) -> Indices:
        """[I] tokens of each item."""
        return np.diff(self.item_bounds)

    def of_item(self, item: int) -> tuple[str, ...]:
        """The folded tokens of one item."""
        first, last = int(self.item_bounds[item]), int(self.item_bounds[item + 1])
        return tuple(self.word(token) for token in range(first, last))

    def word(self, token: int) -> str:
        codes = self.codes[self.token_offsets[token] : self.token_offsets[token + 1]]
        return str(codes.astype("<u4").tobytes().decode("utf-32-le"))

    def items_of(self, tokens: NDArray[np.signedinteger]) -> Indices:
        """The items that tokens belong to."""
        return np.searchsorted(self.item_bounds, tokens, side="right") - 1

    def is_same(self, own: int, batch: TextBatch, first: int, num: int) -> bool:
        """Compare letter by letter `num` tokens from `own` on with those of the batch from `first` on."""
        offsets = self.token_offsets[own : own + num + 1]
        starts, ends = (
            batch.token_starts[first : first + num],
            batch.token_ends[first : first + num],
        )
        if not np.array_equal(np.diff(offsets), ends - starts):
            return False
        theirs = [batch.codes[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        return np.array_equal(
            self.codes[int(offsets[0]) : int(offsets[-1])], fold_table()[np.concatenate(theirs)]
        )

    def is_chinese(self) -> NDArray[np.bool_]:
        """[I] whether most tokens of an item are single CJK characters."""
        single = np.diff(self.token_offsets) == 1
        firsts = self.codes[self.token_offsets[:-1]] if len(single) else self.codes[:0]
        total = offsets_of((single & (kind_table()[firsts] == CJK)).astype(np.int64))
        share = total[self.item_bounds[1:]] - total[self.item_bounds[:-1]]
        return 2 * share > self.num_tokens


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), CHUNK_ITEMS):
        yield texts[start : start + CHUNK_ITEMS]
