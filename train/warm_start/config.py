"""Settings of a warm start; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from schemas.settings import Settings
from train.model.presets import PRESETS

Trainable = Literal["all", "new_embeddings"]
NewRows = Literal["subword_mean", "mean", "gaussian"]


class WarmStartConfig(Settings):
    """Weights to start from, and how rows of tokens that they lack begin."""

    source: str = Field(
        description="Hugging Face folder, run, checkpoint, or the name of a preset (nothing loaded)"
    )
    new_rows: NewRows = Field(
        default="subword_mean",
        description="mean of the rows of a token's pieces under the base; of all; or drawn",
    )
    vocabulary: str | None = Field(
        default=None,
        description="folder with the vocabulary.json of the extension; null: the tokenizer's",
    )
    first_loss_rows: int | None = Field(
        default=4, gt=0, description="rows read to judge the first loss; null: it is not judged"
    )


@dataclass(frozen=True, kw_only=True)
class StartRequest:
    """The settings of a recipe that decide how its weights begin.

    Attributes:
        seed: Seed of new weights.
        model: The recipe's `model` block, or its default.
        names_model: Whether the recipe has a `model` block; loaded weights have a shape of their own.
        trainable: Which rows the run may change.
        warm_start: The weights to start from; None for new ones.
    """

    seed: int
    model: dict[str, Any]
    names_model: bool
    trainable: Trainable = "all"
    warm_start: WarmStartConfig | None = None

    @property
    def loads_weights(self) -> bool:
        """Whether the recipe names weights that exist, not the name of a preset."""
        return self.warm_start is not None and self.warm_start.source not in PRESETS
