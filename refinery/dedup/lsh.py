"""MinHash signatures and LSH bands (Broder 1997; Leskovec et al., Massive Datasets, chapter 3).

Shingles are runs of tokens of `TextBatch`: five words, or five Chinese characters; short texts give
one shingle of all they have. Signatures are computed over the whole batch with numpy.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.dedup.config import DedupConfig
from refinery.dedup.facts import CurveFacts
from refinery.text.batch import TEXT_BATCH_VERSION, Hashes, TextBatch, mix, ngram_hashes

SIGNATURE_VERSION = 3
EMPTY_SLOT = np.uint32(0xFFFFFFFF)


def with_bands(config: DedupConfig) -> DedupConfig:
    """Fill in bands and rows where the recipe gives a threshold to choose them for."""
    target = config.bands_for
    if target is None:
        return config
    bands, rows = best_bands(
        target.threshold or config.threshold,
        target.permutations,
        false_negative_weight=target.false_negative_weight,
    )
    return config.model_copy(update={"num_bands": bands, "rows_per_band": rows, "bands_for": None})


def scheme_name(config: DedupConfig) -> str:
    """What signatures must share to be compared; stored with each of them."""
    return (
        f"affine32-v{SIGNATURE_VERSION}-text{TEXT_BATCH_VERSION}-seed{config.seed}"
        f"-{config.num_bands}x{config.rows_per_band}-shingle{config.shingle_tokens}"
    )


@functools.cache
def permutations(num: int, seed: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Odd multipliers and offsets of `num` multiply-add hashes modulo 2**32."""
    generator = np.random.Generator(np.random.PCG64(seed))
    multipliers = generator.integers(0, 2**31, num, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return multipliers, generator.integers(0, 2**32, num, dtype=np.uint32)


def shingle_sets(batch: TextBatch, tokens: int) -> list[Hashes]:
    """Sorted distinct shingle hashes of each text."""
    grams = ngram_hashes(batch.token_hashes, tokens)
    sets = []
    for first, last in zip(batch.token_bounds[:-1], batch.token_bounds[1:], strict=True):
        if last - first >= tokens:
            sets.append(sorted_distinct(grams[first : last - tokens + 1]))
        elif last > first:
            sets.append(ngram_hashes(batch.token_hashes[first:last], int(last - first)))
        else:
            sets.append(np.zeros(0, np.uint64))
    return sets


def sorted_distinct(hashes: Hashes) -> Hashes:
    """Sort hashes and keep each once; numpy's `unique` builds a hash table first and is slower here."""
    ordered = np.sort(hashes)
    fresh = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:])
    return ordered[fresh]


def signature(shingles: Hashes, num: int, seed: int) -> NDArray[np.uint32]:
    """[num] minima of each permutation over the shingles; empty sets keep EMPTY_SLOT.

    The upper 32 bits of a shingle's hash enter: 2**32 values make a false tie of two slots rarer
    than one in four billion per pair. Multiply-add modulo 2**32 with an odd multiplier permutes
    these values, as `affine32` of datasketch does; its weak low bits never decide a minimum of
    values that are themselves well mixed.
    """
    multipliers, offsets = permutations(num, seed)
    high = (shingles >> np.uint64(32)).astype(np.uint32)
    slots = np.full(num, EMPTY_SLOT)
    # 1,024 shingles x 112 permutations are 450 kB: they stay in the second-level cache.
    for start in range(0, len(high), 1024):
        hashed = multipliers[:, None] * high[None, start : start + 1024]
        hashed += offsets[:, None]
        np.minimum(slots, hashed.min(axis=1), out=slots)
    return slots


def band_hashes(slots: NDArray[np.uint32], config: DedupConfig) -> NDArray[np.int64]:
    """[..., num_bands] one 64-bit hash per band of [..., num] slots, as Spark's signed bigint."""
    shape = (*slots.shape[:-1], config.num_bands, config.rows_per_band)
    rows = slots.reshape(shape).astype(np.uint64)
    value = np.broadcast_to(np.arange(config.num_bands, dtype=np.uint64), shape[:-1])
    for row in range(config.rows_per_band):
        value = mix(value * np.uint64(0x9E3779B97F4A7C15) + rows[..., row])
    return value.view(np.int64)


@dataclass(frozen=True)
class SCurve:
    """P(candidate | Jaccard) = 1 - (1 - s**rows)**bands, with its error areas at a threshold."""

    num_bands: int
    rows_per_band: int
    threshold: float

    def at(self, jaccard: float) -> float:
        """Probability that a pair of this similarity becomes a candidate."""
        return float(1 - (1 - jaccard**self.rows_per_band) ** self.num_bands)

    def points(self, num: int = 101) -> list[tuple[float, float]]:
        """Curve at evenly spaced similarities."""
        return [(i / (num - 1), self.at(i / (num - 1))) for i in range(num)]

    @property
    def false_negative_area(self) -> float:
        """Integral of missed probability from the threshold to 1."""
        return self._integral(self.threshold, 1.0, missed=True)

    @property
    def false_positive_area(self) -> float:
        """Integral of candidates from 0 to the threshold; verification removes these."""
        return self._integral(0.0, self.threshold, missed=False)

    def __str__(self) -> str:
        return (
            f"{self.num_bands} bands of {self.rows_per_band} rows at threshold {self.threshold:g}: "
            f"false-negative area {self.false_negative_area:.5f}, "
            f"false-positive area {self.false_positive_area:.5f}; a pair is found with probability "
            + ", ".join(f"{self.at(j):.4f} at {j:g}" for j in (0.5, 0.7, 0.8, 0.9))
        )

    def facts(self) -> CurveFacts:
        """The curve as the stage's facts have it."""
        return CurveFacts(
            bands=self.num_bands,
            rows=self.rows_per_band,
            threshold=self.threshold,
            false_negative_area=round(self.false_negative_area, 6),
            false_positive_area=round(self.false_positive_area, 6),
            points=tuple((round(x, 3), round(y, 5)) for x, y in self.points(51)),
        )

    def _integral(self, low: float, high: float, *, missed: bool, steps: int = 2000) -> float:
        grid = np.linspace(low, high, steps + 1)
        probability = 1 - (1 - grid**self.rows_per_band) ** self.num_bands
        return float(np.trapezoid(1 - probability if missed else probability, grid))


def best_bands(
    threshold: float, num_permutations: int, *, false_negative_weight: float = 0.5
) -> tuple[int, int]:
    """(bands, rows) whose weighted error areas at the threshold are least.

    The choice of datasketch's `MinHashLSH`: every split with bands x rows <= num_permutations, the
    first of equals in the order of bands.
    """
    choices = [
        (bands, rows)
        for bands in range(1, num_permutations + 1)
        for rows in range(1, num_permutations // bands + 1)
    ]

    def error(choice: tuple[int, int]) -> float:
        curve = SCurve(*choice, threshold)
        positive = (1 - false_negative_weight) * curve.false_positive_area
        return positive + false_negative_weight * curve.false_negative_area

    return min(choices, key=error)
