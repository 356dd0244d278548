"""Settings of decontamination."""

from __future__ import annotations

from schemas.settings import Settings


class DecontaminateConfig(Settings):
    """Benchmarks and what happens to documents that hold their items."""
