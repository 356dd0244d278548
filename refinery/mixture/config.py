"""Settings of the mixture."""

from __future__ import annotations

from schemas.settings import Settings


class MixtureConfig(Settings):
    """Weights of the sources and the token budget."""
