"""The numbers of deduplication: methods, clusters, the S-curve, and the least alike pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from refinery.dedup.facts import DedupFacts
from refinery.publish.records import StageRecord
from refinery.report.data import DedupNumbers, LargeBucket, LargeCluster, PairSample, SourcePair
from refinery.report.excerpts import CONTEXT_CHARS, EXCERPT_CHARS, DocumentText, sample_of
from refinery.report.tables import Tables

PAIRS = 4
RECURRING = "recurring:"
# How many documents lost a passage: beside the kinds of passages, not one of them.
RECURRING_DOCUMENTS = "recurring:documents"
CLUSTER_BINS = (2, 3, 4, 8, 16, 64, 256)


# The least alike near-duplicate of each cluster: people should check these.
_WEAKEST = """
SELECT pair.* FROM (
  SELECT arg_min({'doc_id': doc_id, 'kept_id': kept_id, 'method': method, 'jaccard': jaccard,
                  'containment': containment}, (jaccard, doc_id)) AS pair
  FROM duplicates WHERE method = 'minhash' GROUP BY cluster)
ORDER BY pair.jaccard, pair.doc_id LIMIT $pairs::BIGINT
"""
_SIZES = """
SELECT n + 1 AS size, count(*) AS clusters FROM (SELECT count(*) AS n FROM duplicates GROUP BY cluster)
GROUP BY size ORDER BY size
"""
_NAMES = "SELECT doc_id, title, url FROM cleaned WHERE doc_id IN (SELECT unnest($ids::VARCHAR[]))"


@dataclass(frozen=True)
class NearDuplicate:
    """A row of `duplicates`, as far as pairs show it."""

    doc_id: str
    kept_id: str
    method: str
    jaccard: float
    containment: float


def _weakest_pairs(tables: Tables) -> list[NearDuplicate]:
    """The least alike near-duplicates, one of a cluster; equal ones by id."""
    return [NearDuplicate(**row) for row in tables.ask(_WEAKEST, pairs=PAIRS)]


def pair_ids(tables: Tables) -> list[str]:
    """Both documents of each pair that is shown."""
    return [doc_id for pair in _weakest_pairs(tables) for doc_id in (pair.doc_id, pair.kept_id)]


def dedup_mode(record: StageRecord) -> Literal["remove", "mark"]:
    """Whether duplicates left; records of older runs know of no other way."""
    mode = record.settings.get("dedup", {}).get("mode")
    return "mark" if mode == "mark" else "remove"


def dedup_numbers(tables: Tables, texts: Mapping[str, DocumentText]) -> DedupNumbers | None:
    """Methods, clusters, the S-curve and the weakest pairs; None where dedup is off."""
    record = tables.records.get("dedup")
    if record is None:
        return None
    facts = record.facts_of(DedupFacts)
    curve = facts.s_curve
    pairs = [
        _pair(pair, texts[pair.doc_id], texts[pair.kept_id])
        for pair in _weakest_pairs(tables)
        if pair.doc_id in texts and pair.kept_id in texts
    ]
    shown = [cluster.sample.kept_id for cluster in facts.largest_clusters]
    shown += [bucket.doc_id for bucket in facts.largest_buckets]
    names = {row["doc_id"]: (row["title"], row["url"]) for row in tables.ask(_NAMES, ids=shown)}
    unnamed = (None, None)
    return DedupNumbers(
        mode=dedup_mode(record),
        bands=curve.bands,
        rows=curve.rows,
        threshold=curve.threshold,
        false_negative_area=curve.false_negative_area,
        false_positive_area=curve.false_positive_area,
        curve=curve.points,
        by_method={
            row["method"]: row["n"]
            for row in tables.ask(
                "SELECT method, count(*) AS n FROM duplicates GROUP BY method ORDER BY method"
            )
        },
        by_sources=tuple(SourcePair(**row) for row in tables.ask_ready("duplicates-by-sources")),
        cluster_sizes=_cluster_sizes(tables),
        weakest_jaccard=pairs[0].jaccard if pairs else None,
        capped_buckets=record.counts.get("capped_buckets", 0),
        largest_clusters=tuple(
            LargeCluster(
                cluster=cluster.cluster,
                title=names.get(cluster.sample.kept_id, unnamed)[0],
                url=names.get(cluster.sample.kept_id, unnamed)[1],
                kept=cluster.kept,
                removed=cluster.removed,
                weakest_jaccard=cluster.weakest_jaccard,
            )
            for cluster in facts.largest_clusters
        ),
        largest_buckets=tuple(
            LargeBucket(
                band=bucket.band,
                size=bucket.size,
                first=bucket.doc_id,
                title=names.get(bucket.doc_id, unnamed)[0],
                url=names.get(bucket.doc_id, unnamed)[1],
            )
            for bucket in facts.largest_buckets
        ),
        recurring={
            name.removeprefix(RECURRING): count
            for name, count in sorted(record.counts.items())
            if name.startswith(RECURRING) and name != RECURRING_DOCUMENTS
        },
        recurring_documents=record.counts.get(RECURRING_DOCUMENTS, 0),
        recurring_examples=facts.recurring_examples,
        pairs=tuple(pairs),
    )


def _cluster_sizes(tables: Tables) -> dict[str, int]:
    """Clusters by size, smallest first: "2", "3", "4 to 7", ..., "256 or more"."""
    sizes: Counter[str] = Counter()
    for row in tables.ask(_SIZES):
        size = row["size"]
        low = max(b for b in CLUSTER_BINS if b <= size)
        later = [b for b in CLUSTER_BINS if b > low]
        high = later[0] - 1 if later else None
        sizes[f"{low}" if high == low else f"{low} to {high}" if high else f"{low} or more"] += row[
            "clusters"
        ]
    return dict(sorted(sizes.items(), key=lambda item: int(item[0].split()[0])))


def _pair(pair: NearDuplicate, removed: DocumentText, kept: DocumentText) -> PairSample:
    """Both documents from shortly before the first code point in which they differ."""
    both = enumerate(zip(removed.text, kept.text, strict=False))
    first = next((offset for offset, (a, b) in both if a != b), 0)
    start = max(0, first - CONTEXT_CHARS)
    window = slice(start, start + EXCERPT_CHARS)
    return PairSample(
        removed=sample_of(removed, None, before=removed.text[window]),
        kept=sample_of(kept, None, before=kept.text[window]),
        start=start,
        method=pair.method,
        jaccard=pair.jaccard,
        containment=pair.containment,
    )
