"""The parts of the page on clusters, capped buckets and recurring passages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from refinery.publish.records import StageRecord
from refinery.report.data import DedupNumbers, LargeBucket, LargeCluster, RecurringPassage

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


Row = tuple[str, ...]


def tables(dedup: DedupNumbers) -> Iterator[tuple[str, Row, list[Row], int]]:
    """(caption, heads, rows as HTML, columns that are text) of what there is to show."""
    if dedup.largest_clusters:
        head: Row = ("cluster", "kept", "removed", "least similarity")
        rows: list[Row] = [
            (escape(c.cluster), f"{c.kept:,}", f"{c.removed:,}", f"{c.weakest_jaccard:.3f}")
            for c in dedup.largest_clusters
        ]
        yield "Largest clusters", head, rows, 1
    if dedup.largest_buckets:
        head = ("first document", "band", "members")
        rows = [(escape(b.first), str(b.band), f"{b.size:,}") for b in dedup.largest_buckets]
        yield "Largest buckets, compared with their first members only", head, rows, 1
    if dedup.recurring:
        rows = [(escape(name), f"{count:,}") for name, count in dedup.recurring.items()]
        yield "Recurring passages removed", ("kind", "count"), rows, 1
    if dedup.recurring_examples:
        head = ("passage", "kind", "documents")
        rows = [
            (f"<bdi>{escape(p.text[:160])}</bdi>", p.kind, f"{p.documents:,}")
            for p in dedup.recurring_examples
        ]
        yield "The most frequent recurring passages", head, rows, 2
