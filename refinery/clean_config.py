"""Settings of the clean stage, put together from its parts."""

from __future__ import annotations

from schemas.settings import Settings


class CleanConfig(Settings):
    """Extraction, normalisation, language and rules."""
