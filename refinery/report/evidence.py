"""Evidence for people: excerpts, near-duplicate pairs with their clusters, benchmark hits."""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Literal

from refinery.filters.locate import offending_span
from refinery.publish.records import StageRecord
from refinery.report.data import (
    BenchmarkCoverage,
    ContaminationNumbers,
    DedupNumbers,
    FrequentNgram,
    PairSample,
    Sample,
)
from refinery.report.dedup import dedup_details
from refinery.report.tables import Tables

EXCERPT_CHARS = 600
CONTEXT_CHARS, CONTEXT_LINES = 200, 4
SAMPLES = 6
PAIRS = 4
_COVERAGE_COLUMNS = ("ngram_tokens", "items", "whole_line", "uncovered")
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
    curve = json.loads(record.facts["s_curve"])
    clusters = tables.count("dedup", "duplicates", "cluster")
    sizes: Counter[str] = Counter()
    for removed in clusters.values():
        size = removed + 1
        low = max(b for b in CLUSTER_BINS if b <= size)
        later = [b for b in CLUSTER_BINS if b > low]
        high = later[0] - 1 if later else None
        sizes[f"{low}" if high == low else f"{low} to {high}" if high else f"{low} or more"] += 1
    pairs = [
        _pair(row, texts[row["doc_id"]], texts[row["kept_id"]])
        for row in _pair_rows(tables)
        if row["doc_id"] in texts and row["kept_id"] in texts
    ]
    return DedupNumbers(
        mode=dedup_mode(record),
        bands=curve["bands"],
        rows=curve["rows"],
        threshold=curve["threshold"],
        false_negative_area=curve["false_negative_area"],
        false_positive_area=curve["false_positive_area"],
        curve=tuple((x, y) for x, y in curve["points"]),
        by_method=dict(sorted(tables.count("dedup", "duplicates", "method").items())),
        cluster_sizes=dict(sorted(sizes.items(), key=lambda item: int(item[0].split()[0]))),
        weakest_jaccard=pairs[0].jaccard if pairs else None,
        capped_buckets=record.counts.get("capped_buckets", 0),
        **dedup_details(record),
        pairs=tuple(pairs),
    )


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
    measured = json.loads(record.facts["recall"])
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
        recall=_shares(measured["recall"]),
        recall_by_group={
            group: _shares(counts) for group, counts in measured["recall_by_group"].items()
        },
        clean_documents=measured["clean_documents"],
        false_positives=measured["false_positives"],
        false_positives_per_million_below=measured["false_positives_per_million_below"],
        coverage=tuple(
            BenchmarkCoverage(
                benchmark=name, **{key: row[key] for key in row if key in _COVERAGE_COLUMNS}
            )
            for name, row in json.loads(record.facts["coverage"]).items()
        ),
        template_ngrams=record.counts.get("template_ngrams", 0),
        max_ngram_items=record.settings.get("decontaminate", {}).get("max_ngram_items"),
        templates=_templates(tables),
        ignored_ngrams=record.counts.get("ignored_ngrams", 0),
        ignored=tuple(
            FrequentNgram(**row) for row in json.loads(record.facts.get("ignored_ngrams", "[]"))
        ),
        last=tuple(
            FrequentNgram(
                ngram=row["ngram"],
                documents=row["documents"],
                item=f"{row['benchmark']} {row['item']}",
            )
            for row in json.loads(record.facts.get("last_ngrams", "[]"))
        ),
        samples=tuple(samples),
    )


def _templates(tables: Tables) -> tuple[FrequentNgram, ...]:
    """The commonest n-grams of so many items that they identify none."""
    record = tables.records.get("benchmarks")
    found = json.loads(record.facts.get("templates", "[]")) if record is not None else []
    return tuple(FrequentNgram(ngram=row["ngram"], documents=row["items"]) for row in found)


def _shares(counts: Mapping[str, Mapping[str, int]]) -> dict[str, tuple[int, int]]:
    return {name: (row["found"], row["planted"]) for name, row in counts.items()}
