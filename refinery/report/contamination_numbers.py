"""The numbers of decontamination: hits by benchmark, what the search leaves out, its own error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refinery.decontaminate.facts import BenchmarksFacts, DecontaminateFacts, Recalls
from refinery.report.data import BenchmarkCoverage, ContaminationNumbers, FrequentNgram
from refinery.report.excerpts import DocumentText, around
from refinery.report.tables import Tables

SAMPLES = 6


@dataclass(frozen=True)
class Hit:
    """A row of `contamination`, as far as samples show it."""

    doc_id: str
    benchmark: str
    item: str
    start: int
    end: int


_FIRST_HITS = """
SELECT doc_id, benchmark, item, start, "end" FROM contamination
ORDER BY doc_id, start LIMIT $samples::BIGINT
"""
_BY_BENCHMARK = """
SELECT benchmark, count(DISTINCT doc_id) AS documents, count(DISTINCT item) AS items
FROM contamination GROUP BY benchmark ORDER BY benchmark
"""


def _shown_hits(tables: Tables) -> list[Hit]:
    return [Hit(**row) for row in tables.ask(_FIRST_HITS, samples=SAMPLES)]


def hit_ids(tables: Tables) -> list[str]:
    """Documents of the hits that are shown."""
    return [hit.doc_id for hit in _shown_hits(tables)]


def contamination_numbers(
    tables: Tables, texts: Mapping[str, DocumentText]
) -> ContaminationNumbers | None:
    """Hits by benchmark and the self-measurement; None where no benchmark is named."""
    record = tables.records.get("decontaminate")
    if record is None:
        return None
    found = tables.ask(_BY_BENCHMARK)
    facts = record.facts_of(DecontaminateFacts)
    measured = facts.recall
    samples = [
        around(texts[hit.doc_id], f"{hit.benchmark}, item {hit.item}", hit.start, hit.end)
        for hit in _shown_hits(tables)
        if hit.doc_id in texts
    ]
    return ContaminationNumbers(
        documents_by_benchmark={row["benchmark"]: row["documents"] for row in found},
        items_by_benchmark={row["benchmark"]: row["items"] for row in found},
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
    """(found, planted) by mutation, as report.json has it."""
    return {name: (recall.found, recall.planted) for name, recall in recalls.items()}
