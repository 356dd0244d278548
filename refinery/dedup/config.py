"""Settings of deduplication."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.settings import Settings


class DedupConfig(Settings):
    """Shingles, bands and the rule of removal.

    14 bands of 8 rows find a pair at Jaccard 0.8 with probability 0.92 and at 0.9 always: the
    numbers of FineWeb (Penedo et al. 2024). A pair is removed only on its measured similarity.
    """

    enabled: bool = True
    threshold: float = Field(default=0.8, gt=0, le=1)
    measure: Literal["jaccard", "containment"] = "jaccard"
    num_bands: int = Field(default=14, gt=0)
    rows_per_band: int = Field(default=8, gt=0)
    shingle_tokens: int = Field(default=5, gt=0, description="words; for Chinese, characters")
    seed: int = 1
    full_bucket: int = Field(
        default=64, gt=1, description="members that are compared each with each"
    )
    anchors: int = Field(
        default=8, gt=0, description="first members that larger buckets compare to"
    )
    max_component_edges: int = Field(default=1_000_000, gt=0, description="solved in one task")
    max_rounds: int = Field(default=200, gt=0, description="of a loop in Spark; beyond, it fails")
    max_source_loss: float | None = Field(
        default=None, gt=0, le=1, description="stop when a source loses a larger share"
    )
