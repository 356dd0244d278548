"""Settings of packing."""

from __future__ import annotations

from schemas.settings import Settings


class PackingConfig(Settings):
    """Rows, shards and lanes."""
