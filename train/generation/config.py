"""Settings of generation; imports nothing heavy."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from schemas.settings import Settings


class GenerationConfig(Settings):
    """How the next token is chosen: the likeliest, a drawn one, or those of the best beams."""

    max_new_tokens: int = Field(default=64, gt=0, description="tokens after the prompt")
    temperature: float | None = Field(
        default=None,
        gt=0,
        description="divides the logits before a token is drawn; null: no token is drawn",
    )
    top_k: int | None = Field(default=None, gt=0, description="draw among the k likeliest tokens")
    top_p: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="draw among the likeliest tokens that together have this probability",
    )
    num_beams: int | None = Field(
        default=None, gt=1, description="lines of the beam search; null: none"
    )
    length_penalty: float = Field(
        default=1.0, description="beams are ranked by log-probability over tokens to this power"
    )
    seed: int = Field(default=0, description="of what is drawn; another seed draws other tokens")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.temperature is None and (self.top_k is not None or self.top_p is not None):
            raise ValueError("top_k and top_p choose among what is drawn; give a temperature")
        if self.num_beams is not None and self.temperature is not None:
            raise ValueError(
                f"give either {self.num_beams} beams or a temperature; beams do not draw"
            )
        return self
