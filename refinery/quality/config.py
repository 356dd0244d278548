"""Settings of classifier training and of scoring."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.settings import Settings

QUALITY = "quality"


class QualityTrainingConfig(Settings):
    """A two-class fastText model from positive and negative sources of the recipe.

    Parameters as in DCLM's baseline (Li et al. 2024) where not named otherwise; `bucket` is small,
    since every worker process loads the model.
    """

    positive: tuple[str, ...] = Field(min_length=1, description="sources of good text")
    negative: tuple[str, ...] = Field(min_length=1, description="sources of noisy text")
    max_documents: int = Field(default=20_000, gt=1, description="per class, by hash of the id")
    max_chars: int = Field(default=4_000, gt=0, description="of each document")
    test_fraction: float = Field(default=0.1, gt=0, lt=1)
    dim: int = Field(default=50, gt=0)
    epochs: int = Field(default=5, gt=0)
    learning_rate: float = Field(default=0.1, gt=0)
    word_ngrams: int = Field(default=2, gt=0)
    bucket: int = Field(default=100_000, gt=0, le=200_000)
    min_count: int = Field(default=1, gt=0)


class ParetoConfig(Settings):
    """Sampling by score as for GPT-3: good documents mostly stay, a few of the others too."""

    alpha: float = Field(default=9.0, gt=0, description="a score of 0 stays with 2 ** -alpha")
    seed: int = 0


class TopFractionConfig(Settings):
    """Keep the best by score of every group, of the documents that nothing else drops."""

    fraction: float = Field(gt=0, le=1, description="kept share of a group, rounded up")
    by: tuple[Literal["source", "lang"], ...] = Field(
        default=("source", "lang"), description="what a group has in common; empty: one group"
    )


class QualityConfig(Settings):
    """What the score does to a document."""

    min_score: float | None = Field(
        default=None, ge=0, le=1, description="drop below it; None only scores"
    )
    pareto: ParetoConfig | None = Field(default=None, description="sample by score, as GPT-3 did")
    top: TopFractionConfig | None = Field(
        default=None, description="keep the best share by score; ties by id"
    )


class HeadConfig(Settings):
    """What the score of a further head does to a document; without bounds it only scores.

    Outside of its bounds a document is dropped, or marked by a counter; or its paragraphs that are
    outside by their own scores are masked.

    Resemblance to documents that the recipe names (its positive sources) wants a minimum, harmful
    text a maximum.
    """

    min_score: float | None = Field(default=None, ge=0, le=1, description="drop below it")
    max_score: float | None = Field(default=None, ge=0, le=1, description="drop above it")
    action: Literal["mark", "mask", "drop"] = Field(
        default="drop",
        description="mark counts documents outside the bounds, mask edits paragraphs",
    )
    mask: str = Field(default="<MASKED>", description="what stands for a paragraph that is masked")
    pareto: ParetoConfig | None = Field(default=None, description="sample by score, as GPT-3 did")
    top: TopFractionConfig | None = Field(
        default=None, description="keep the best share by score; ties by id"
    )
