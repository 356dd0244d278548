"""The cursor: which rows a step reads, computed from manifest, seed and samples consumed.

Sample i of a pass is number i div L of lane i mod L, where lane l is the l-th equal stretch of the
pass; the last N mod L numbers close it. A pass permutes blocks of rows, and the rows in each, by
hashes of the seed; the first one keeps the blocks of a shard together, so that a remote dataset is
fetched shard after shard. Rank r of R reads the samples with i mod R = r, so the global batch
depends neither on R nor on micro-batches, and there is no state to save or to lose.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from schemas.manifest import Split

Int64s = NDArray[np.int64]

# How the passes of a run are ordered; a checkpoint says it. `by_shard` is that of version 0.2: the
# first pass follows the row numbers whatever the seed, later ones permute blocks and nothing in them.
DataOrder = Literal["by_seed", "by_shard"]

# Rows that stay together when a pass is permuted; packing writes row groups of this size, so a
# block is one read. Part of the order: changing it changes every pass.
BLOCK_ROWS = 256


@dataclass(frozen=True, kw_only=True)
class RankShare:
    """Rank `rank` of the `ranks` that read different rows.

    Attributes:
        block: Rows that stay together: each rank reads neighbouring blocks of a batch, which are numbered
            through all ranks. None: rows are dealt out one by one.
    """

    rank: int = 0
    ranks: int = 1
    block: int | None = None

    def first_microbatch(self, count: int) -> int:
        """Number of this rank's first micro-batch in a batch of so many rows."""
        return 0 if self.block is None else leaves_of_rank(-(-count // self.block), self).start

    def most_microbatches(self, count: int, microbatch: int) -> int:
        """How many micro-batches the rank with the most of them has in a batch of so many rows."""
        if self.block is not None:
            return math.ceil(math.ceil(count / self.block) / self.ranks)
        return math.ceil(math.ceil(count / self.ranks) / microbatch)


def leaves_of_rank(leaves: int, share: RankShare) -> range:
    """The neighbouring micro-batches of a step that a rank has, of all of the step."""
    low, high = (leaves * rank // share.ranks for rank in (share.rank, share.rank + 1))
    return range(low, high)


@dataclass(frozen=True, kw_only=True)
class PassRow:
    """A row and the pass that reads it.

    Attributes:
        passes: Number of whole passes before this one.
        row: Number of the row, counted across the shards of the split.
    """

    passes: int
    row: int


class Cursor:
    """The order of the rows of one split; a pure function without state."""

    def __init__(
        self, *, shard_rows: Sequence[int], lanes: int, seed: int, order: DataOrder = "by_seed"
    ) -> None:
        self.num_rows = sum(shard_rows)
        self._shard_rows = tuple(shard_rows)
        self._lanes = min(lanes, max(self.num_rows, 1))
        self._seed = seed
        self._order: DataOrder = order

    @classmethod
    def of_split(
        cls, split: Split, *, lanes: int, seed: int, order: DataOrder = "by_seed"
    ) -> Cursor:
        rows = [shard.rows for shard in split.shards]
        return cls(shard_rows=rows, lanes=lanes, seed=seed, order=order)

    def rows(self, samples: Int64s) -> Int64s:
        """Row numbers of samples, which are counted from the start of training through all passes."""
        passes, within = np.divmod(samples, self.num_rows)
        lane_rows = self.num_rows // self._lanes
        laned = (within % self._lanes) * lane_rows + within // self._lanes
        virtual = np.where(within < lane_rows * self._lanes, laned, within)
        rows = virtual.copy()
        for number in np.unique(passes):
            if number > 0 or self._order == "by_seed":
                order = _block_order(self._shard_rows, self._seed, int(number), self._order)
                chosen = passes == number
                rows[chosen] = order.rows(virtual[chosen])
        return rows

    def locate(self, sample: int) -> PassRow:
        """The row of one sample, and the pass that reads it."""
        row = int(self.rows(np.array([sample], dtype=np.int64))[0])
        return PassRow(passes=sample // self.num_rows, row=row)


def rank_samples(*, start: int, count: int, share: RankShare) -> Int64s:
    """The samples of the global batch `start .. start + count` that one rank reads, in order."""
    if share.block is not None:
        own = leaves_of_rank(-(-count // share.block), share)
        low, high = (min(leaf * share.block, count) for leaf in (own.start, own.stop))
        return np.arange(start + low, start + high, dtype=np.int64)
    first = start + (share.rank - start) % share.ranks
    return np.arange(first, start + count, share.ranks, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class _BlockOrder:
    """Blocks of rows in the order of one pass.

    Attributes:
        starts: Index in the pass at which each block begins.
        first_rows: Number of the first row of each block.
        sizes: Rows of each block.
        row_key: Key of the hashes that order the rows of a block; None: by their numbers.
    """

    starts: Int64s
    first_rows: Int64s
    sizes: Int64s
    row_key: str | None

    def rows(self, virtual: Int64s) -> Int64s:
        """Row numbers at some indices of the permuted pass."""
        block = np.searchsorted(self.starts, virtual, side="right") - 1
        within = virtual - self.starts[block]
        if self.row_key is not None:
            for number in np.unique(block):
                chosen = block == number
                numbers = self.first_rows[number] + np.arange(self.sizes[number], dtype=np.int64)
                order = np.argsort(_hashes(numbers, self.row_key), kind="stable")
                within[chosen] = order[within[chosen]]
        rows: Int64s = self.first_rows[block] + within
        return rows


@lru_cache(maxsize=4)
def _block_order(
    shard_rows: tuple[int, ...], seed: int, passes: int, order: DataOrder
) -> _BlockOrder:
    key = f"pass {passes} seed {seed}"
    firsts: list[Int64s] = []
    lengths: list[Int64s] = []
    shards: list[Int64s] = []
    offset = 0
    for shard, count in enumerate(shard_rows):
        starts = np.arange(0, count, BLOCK_ROWS, dtype=np.int64)
        firsts.append(offset + starts)
        lengths.append(np.minimum(BLOCK_ROWS, count - starts))
        shards.append(np.full(len(starts), shard, dtype=np.int64))
        offset += count
    first_rows, sizes = np.concatenate(firsts), np.concatenate(lengths)
    # Ties of the 64-bit hash fall back to the row number: the order is total.
    keys = [first_rows, _hashes(first_rows, key)]
    if passes == 0:
        keys.append(_hashes(np.concatenate(shards), f"shards {key}"))
    sorted_blocks = np.lexsort(keys)
    sizes = sizes[sorted_blocks]
    return _BlockOrder(
        starts=np.cumsum(sizes) - sizes,
        first_rows=first_rows[sorted_blocks],
        sizes=sizes,
        row_key=f"rows {key}" if order == "by_seed" else None,
    )


def _hashes(values: Int64s, key: str) -> NDArray[np.uint64]:
    """Mix 64-bit integers: the finaliser of SplitMix64 (Steele et al. 2014), keyed by SHA-256."""
    digest = hashlib.sha256(key.encode()).digest()[:8]
    z = values.astype(np.uint64) ^ np.uint64(int.from_bytes(digest, "little"))
    z = (z + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
