"""Evidence for people: excerpts, near-duplicate pairs with their clusters, benchmark hits."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Literal

from refinery.decontaminate.facts import BenchmarksFacts, DecontaminateFacts, Recalls
from refinery.dedup.facts import DedupFacts
from refinery.filters.locate import offending_span
from refinery.publish.records import StageRecord
from refinery.report.data import (
    BenchmarkCoverage,
    ContaminationNumbers,
    DedupNumbers,
    FrequentNgram,
    LargeBucket,
    LargeCluster,
    PairSample,
    Sample,
)
from refinery.report.tables import Tables

EXCERPT_CHARS = 600
CONTEXT_CHARS, CONTEXT_LINES = 200, 4
SAMPLES = 6
PAIRS = 4
RECURRING = "recurring:"
CLUSTER_BINS = (2, 3, 4, 8, 16, 64, 256)


def _pair_rows(tables: Tables) -> list[dict[str, Any]]:
    """Near duplicates of the lowest similarity, one of a cluster: the ones that people should check."""
    weakest: dict[str, dict[str, Any]] = {}
    columns = ("doc_id", "kept_id", "method", "jaccard", "containment", "cluster")
    for row in tables.rows("dedup", "duplicates", columns):
        if row["method"] != "minhash":
            continue
        known = weakest.get(row["cluster"])
        if known is None or _weakness(row) < _weakness(known):
            weakest[row["cluster"]] = row
        if len(weakest) > 64 * PAIRS:
            weakest = {
                row["cluster"]: row for row in heapq.nsmallest(PAIRS, weakest.values(), _weakness)
            }
    return heapq.nsmallest(PAIRS, weakest.values(), _weakness)


def _weakness(row: Mapping[str, Any]) -> tuple[float, str]:
    return row["jaccard"], row["doc_id"]


def pair_ids(tables: Tables) -> list[str]:
    """Both documents of each pair that is shown."""
    return [row[name] for row in _pair_rows(tables) for name in ("doc_id", "kept_id")]


def _hit_rows(tables: Tables) -> list[dict[str, Any]]:
    columns = ("doc_id", "benchmark", "item", "start", "end")
    rows = tables.rows("decontaminate", "contamination", columns)
    return heapq.nsmallest(SAMPLES, rows, key=lambda row: (row["doc_id"], row["start"]))


def hit_ids(tables: Tables) -> list[str]:
    """Documents of the hits that are shown."""
    return [row["doc_id"] for row in _hit_rows(tables)]


def excerpt(row: Mapping[str, Any], reason: str | None) -> Sample:
    """The beginning of a document."""
    return _sample(row, reason, before=row["text"][:EXCERPT_CHARS])


def offence(row: Mapping[str, Any], reason: str) -> Sample:
    """The place that the reason is about, with its surroundings; else the document's beginning."""
    span = offending_span(row["text"], reason)
    return excerpt(row, reason) if span is None else _around(row, reason, *span)


def _around(row: Mapping[str, Any], label: str, start: int, end: int) -> Sample:
    text = row["text"]
    return _sample(
        row,
        label,
        # Many short lines would push the marked place out of sight.
        before="\n".join(text[max(0, start - CONTEXT_CHARS) : start].split("\n")[-CONTEXT_LINES:]),
        marked=text[start:end][:EXCERPT_CHARS],
        after=text[end : end + CONTEXT_CHARS],
    )


def _sample(row: Mapping[str, Any], reason: str | None, **parts: str) -> Sample:
    return Sample(
        doc_id=row["doc_id"],
        source=row["source"],
        url=row["url"][:300] if row["url"] else None,
        title=row["title"],
        reason=reason,
        **parts,
    )


def dedup_mode(record: StageRecord) -> Literal["remove", "mark"]:
    """Whether duplicates left; records of older runs know of no other way."""
    settings: dict[str, Any] = record.settings.get("dedup", {})
    return "mark" if settings.get("mode") == "mark" else "remove"


def dedup_numbers(tables: Tables, texts: Mapping[str, dict[str, Any]]) -> DedupNumbers | None:
    """Methods, clusters, the S-curve and the weakest pairs; None where dedup is off."""
    record = tables.records.get("dedup")
    if record is None:
        return None
    facts = record.facts_of(DedupFacts)
    curve = facts.s_curve
    pairs = [
        _pair(row, texts[row["doc_id"]], texts[row["kept_id"]])
        for row in _pair_rows(tables)
        if row["doc_id"] in texts and row["kept_id"] in texts
    ]
    return DedupNumbers(
        mode=dedup_mode(record),
        bands=curve.bands,
        rows=curve.rows,
        threshold=curve.threshold,
        false_negative_area=curve.false_negative_area,
        false_positive_area=curve.false_positive_area,
        curve=curve.points,
        by_method=dict(sorted(tables.count("dedup", "duplicates", "method").items())),
        cluster_sizes=_cluster_sizes(tables),
        weakest_jaccard=pairs[0].jaccard if pairs else None,
        capped_buckets=record.counts.get("capped_buckets", 0),
        largest_clusters=tuple(
            LargeCluster(
                cluster=cluster.cluster,
                kept=cluster.kept,
                removed=cluster.removed,
                weakest_jaccard=cluster.weakest_jaccard,
            )
            for cluster in facts.largest_clusters
        ),
        largest_buckets=tuple(
            LargeBucket(band=bucket.band, size=bucket.size, first=bucket.doc_id)
            for bucket in facts.largest_buckets
        ),
        recurring={
            name.removeprefix(RECURRING): count
            for name, count in sorted(record.counts.items())
            if name.startswith(RECURRING)
        },
        recurring_examples=facts.recurring_examples,
        pairs=tuple(pairs),
    )


def _cluster_sizes(tables: Tables) -> dict[str, int]:
    """Clusters by size, smallest first: "2", "3", "4 to 7", ..., "256 or more"."""
    sizes: Counter[str] = Counter()
    for removed in tables.count("dedup", "duplicates", "cluster").values():
        size = removed + 1
        low = max(b for b in CLUSTER_BINS if b <= size)
        later = [b for b in CLUSTER_BINS if b > low]
        high = later[0] - 1 if later else None
        sizes[f"{low}" if high == low else f"{low} to {high}" if high else f"{low} or more"] += 1
    return dict(sorted(sizes.items(), key=lambda item: int(item[0].split()[0])))


def _pair(
    row: Mapping[str, Any], removed: Mapping[str, Any], kept: Mapping[str, Any]
) -> PairSample:
    """Both documents from shortly before the place where they begin to differ."""
    both = enumerate(zip(removed["text"], kept["text"], strict=False))
    first = next((place for place, (a, b) in both if a != b), 0)
    start = max(0, first - CONTEXT_CHARS)
    window = slice(start, start + EXCERPT_CHARS)
    return PairSample(
        removed=_sample(removed, None, before=removed["text"][window]),
        kept=_sample(kept, None, before=kept["text"][window]),
        start=start,
        method=row["method"],
        jaccard=row["jaccard"],
        containment=row["containment"],
    )


def contamination_numbers(
    tables: Tables, texts: Mapping[str, dict[str, Any]]
) -> ContaminationNumbers | None:
    """Hits by benchmark and the self-measurement; None where no benchmark is named."""
    record = tables.records.get("decontaminate")
    if record is None:
        return None
    documents: dict[str, set[str]] = defaultdict(set)
    items: dict[str, set[str]] = defaultdict(set)
    for row in tables.rows("decontaminate", "contamination", ("doc_id", "benchmark", "item")):
        documents[row["benchmark"]].add(row["doc_id"])
        items[row["benchmark"]].add(row["item"])
    facts = record.facts_of(DecontaminateFacts)
    measured = facts.recall
    samples = []
    for row in _hit_rows(tables):
        if row["doc_id"] in texts:
            label = f"{row['benchmark']}, item {row['item']}"
            samples.append(_around(texts[row["doc_id"]], label, row["start"], row["end"]))
    return ContaminationNumbers(
        documents_by_benchmark={name: len(ids) for name, ids in sorted(documents.items())},
        items_by_benchmark={name: len(ids) for name, ids in sorted(items.items())},
        items=record.counts.get("items", 0),
        uncovered_items=record.counts.get("uncovered_items", 0),
        recall=_shares(measured.recall),
        recall_by_group={
            group: _shares(recalls) for group, recalls in measured.recall_by_group.items()
        },
        clean_documents=measured.clean_documents,
        false_positives=measured.false_positives,
        false_positives_per_million_below=measured.false_positives_per_million_below,
        coverage=tuple(
            BenchmarkCoverage(
                benchmark=name,
                ngram_tokens=row.ngram_tokens,
                items=row.items,
                whole_line=row.whole_line,
                uncovered=row.uncovered,
            )
            for name, row in facts.coverage.items()
        ),
        template_ngrams=record.counts.get("template_ngrams", 0),
        max_ngram_items=record.settings.get("decontaminate", {}).get("max_ngram_items"),
        templates=_templates(tables),
        ignored_ngrams=record.counts.get("ignored_ngrams", 0),
        ignored=tuple(
            FrequentNgram(ngram=one.ngram, documents=one.documents) for one in facts.ignored_ngrams
        ),
        last=tuple(
            FrequentNgram(
                ngram=one.ngram, documents=one.documents, item=f"{one.benchmark} {one.item}"
            )
            for one in facts.last_ngrams
        ),
        samples=tuple(samples),
    )


def _templates(tables: Tables) -> tuple[FrequentNgram, ...]:
    """The commonest n-grams of so many items that they identify none."""
    record = tables.records.get("benchmarks")
    templates = record.facts_of(BenchmarksFacts).templates if record is not None else ()
    return tuple(FrequentNgram(ngram=one.ngram, documents=one.items) for one in templates)


def _shares(recalls: Recalls) -> dict[str, tuple[int, int]]:
    """(found, planted) by mutation."""
    return {name: (recall.found, recall.planted) for name, recall in recalls.items()}
