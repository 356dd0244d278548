"""Settings of classifier training."""

from __future__ import annotations

from pydantic import Field

from schemas.settings import Settings


class QualityTrainingConfig(Settings):
    """A two-class fastText model from positive and negative sources of the recipe."""

    positive: tuple[str, ...] = Field(min_length=1)
    negative: tuple[str, ...] = Field(min_length=1)
