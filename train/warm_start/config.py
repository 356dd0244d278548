"""Settings of a warm start; imports nothing heavy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.settings import Settings

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
