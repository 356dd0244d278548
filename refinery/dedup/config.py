"""Settings of deduplication."""

from __future__ import annotations

from schemas.settings import Settings


class DedupConfig(Settings):
    """Exact and near-duplicate removal."""
