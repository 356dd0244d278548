"""What the record of dedup says of clusters, capped buckets and recurring passages."""

from __future__ import annotations

import json
from typing import Any

from refinery.publish.records import StageRecord
from refinery.report.data import LargeBucket, LargeCluster, RecurringPassage

RECURRING = "recurring:"


def dedup_details(record: StageRecord) -> dict[str, Any]:
    """Fields of `DedupNumbers` that come from the stage's record alone."""
    clusters = json.loads(record.facts.get("largest_clusters", "[]"))
    names = ("cluster", "kept", "removed", "weakest_jaccard")
    buckets = json.loads(record.facts.get("largest_buckets", "[]"))
    passages = json.loads(record.facts.get("recurring_examples", "[]"))
    return {
        "largest_clusters": tuple(
            LargeCluster(**{name: row[name] for name in names}) for row in clusters
        ),
        "largest_buckets": tuple(
            LargeBucket(band=row["band"], size=row["size"], first=row["doc_id"]) for row in buckets
        ),
        "recurring": {
            name.removeprefix(RECURRING): count
            for name, count in sorted(record.counts.items())
            if name.startswith(RECURRING)
        },
        "recurring_examples": tuple(RecurringPassage(**row) for row in passages),
    }
