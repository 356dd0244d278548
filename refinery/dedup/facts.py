"""Facts of the stage `dedup`: the S-curve, the largest clusters and buckets, the index."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from refinery.publish.facts import Facts, StageFacts


class CurveFacts(Facts):
    """The S-curve of the bands, as (similarity, probability) points, and its error areas."""

    bands: int
    rows: int
    threshold: float
    false_negative_area: float
    false_positive_area: float
    points: tuple[tuple[float, float], ...]


class ClusterSample(Facts):
    """The removed document of a cluster that is least like its keeper."""

    kept_id: str
    doc_id: str
    source: str


class LargestCluster(Facts):
    """A connected component of verified pairs."""

    cluster: str
    kept: int
    removed: int
    weakest_jaccard: float = Field(description="the least similarity of all its edges")
    sample: ClusterSample


class LargestBucket(Facts):
    """A bucket too large to compare each with each."""

    band: int
    key: int
    size: int
    doc_id: str = Field(description="its first document")


class RecurringPassage(Facts):
    """A line, paragraph or span of sentences that many kept documents hold."""

    kind: str
    documents: int
    text: str


class DedupFacts(StageFacts):
    """What the report, later runs with this one as `earlier`, and people want to know."""

    stage: ClassVar[str] = "dedup"

    s_curve: CurveFacts
    scheme: str = Field(description="what signatures must share to be compared")
    index_buckets: int | None = Field(default=None, description="null where no index was kept")
    earlier: tuple[str, ...] | None = Field(
        default=None, description="identities of the earlier runs that the index continues"
    )
    cluster_sizes: dict[str, int] = Field(
        default_factory=dict, description="clusters by size: 2-3, 4-7, ..."
    )
    largest_clusters: tuple[LargestCluster, ...] = ()
    largest_buckets: tuple[LargestBucket, ...] = ()
    recurring_examples: tuple[RecurringPassage, ...] = ()
