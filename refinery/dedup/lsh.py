"""Which signatures can be compared, and how bands and rows are chosen (Leskovec et al., Massive Datasets, chapter 3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import numpy as np

from refinery.dedup.config import BandTarget, DedupConfig
from refinery.dedup.facts import CurveFacts
from refinery.text.batch import TEXT_BATCH_VERSION
from schemas.errors import ContractError, SettingsError

# 4: the permutations and the premix of datasketch's `affine32`.
SIGNATURE_VERSION = 4
_FAMILY = f"affine32-v{SIGNATURE_VERSION}-text{TEXT_BATCH_VERSION}"
_NAME = re.compile(rf"{_FAMILY}-seed(\d+)-(\d+)x(\d+)-shingle(\d+)")


@dataclass(frozen=True, kw_only=True)
class SignatureScheme:
    """What signatures must share to be compared; its name is stored with each of them."""

    seed: int
    num_bands: int
    rows_per_band: int
    shingle_tokens: int

    @classmethod
    def read(cls, name: str) -> Self:
        """The scheme of a name.

        Raises:
            ContractError: Another version of this program gave it.
        """
        found = _NAME.fullmatch(name)
        if found is None:
            raise ContractError(
                f"signatures of scheme {name}, this version reads {_FAMILY}-...; sign again: run dedup anew"
            )
        seed, bands, rows, tokens = map(int, found.groups())
        return cls(seed=seed, num_bands=bands, rows_per_band=rows, shingle_tokens=tokens)

    @property
    def num_permutations(self) -> int:
        return self.num_bands * self.rows_per_band

    def __str__(self) -> str:
        return (
            f"{_FAMILY}-seed{self.seed}-{self.num_bands}x{self.rows_per_band}"
            f"-shingle{self.shingle_tokens}"
        )


def with_bands(config: DedupConfig) -> DedupConfig:
    """Fill in bands and rows where the recipe gives a threshold to choose them for."""
    target = config.bands_for
    if target is None:
        return config
    bands, rows = best_bands(target, target.threshold or config.threshold)
    return config.model_copy(update={"num_bands": bands, "rows_per_band": rows, "bands_for": None})


def best_bands(target: BandTarget, threshold: float) -> tuple[int, int]:
    """(bands, rows) whose weighted areas of error at the threshold are least: datasketch's choice.

    Raises:
        SettingsError: One band would be best.
    """
    from datasketch import MinHashLSH  # with scipy behind it: a third of a second

    missed = target.false_negative_weight
    try:
        index = MinHashLSH(threshold, target.permutations, weights=(1 - missed, missed))
    except ValueError as error:
        raise SettingsError(
            f"recipe.dedup.bands_for: {target.permutations} permutations at threshold {threshold:g}: {error}; "
            "a lower threshold or more permutations give more bands, or name num_bands and rows_per_band"
        ) from error
    return index.b, index.r


def scheme_name(config: DedupConfig) -> str:
    """The name of a recipe's scheme; `config` has its bands filled in."""
    return str(
        SignatureScheme(
            seed=config.seed,
            num_bands=config.num_bands,
            rows_per_band=config.rows_per_band,
            shingle_tokens=config.shingle_tokens,
        )
    )


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
