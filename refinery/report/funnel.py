"""Where documents and their text went, by source: one fate each, and sums that must hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from refinery.report.data import Check, SourceFunnel
from refinery.report.dedup_numbers import dedup_mode
from refinery.report.tables import Tables
from refinery.sources.facts import IngestFacts
from schemas.manifest import Manifest

BYTES_PER_TOKEN = 4.0  # where no document of any source has been tokenised

_FATES = "SELECT source, fate, count(*) AS documents, coalesce(sum(num_bytes), 0)::BIGINT AS size FROM documents GROUP BY source, fate"  # fmt: skip
# What became of kept documents; a contaminated one that dedup had marked is not kept.
_SPLITS = """
SELECT t.source, CASE WHEN t.split = 'heldout' THEN 'heldout' WHEN m.copies = 0 THEN 'not_sampled'
                 ELSE 'train' END AS part,
  count(*) AS documents, sum(t.num_tokens)::BIGINT AS tokens, sum(t.num_bytes)::BIGINT AS size
FROM (SELECT doc_id, source, split, num_tokens, num_bytes FROM tokens) t
LEFT JOIN (SELECT doc_id, copies FROM mixture) m USING (doc_id)
GROUP BY ALL
"""
_MARKED = """
SELECT source, count(*) AS n FROM duplicates
WHERE doc_id NOT IN (SELECT doc_id FROM contamination WHERE action = 'drop') GROUP BY source
"""


def count_funnel(tables: Tables, manifest: Manifest | None) -> dict[str, SourceFunnel]:
    """By source, in alphabetical order: every fetch and what became of its document and its text.

    Every source of the recipe has a row, also one that gave nothing. Without a manifest, documents
    are neither in training nor held out.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    size: dict[str, Counter[str]] = defaultdict(Counter)
    input_bytes = _read_sources(tables, counts)
    for row in tables.ask(_FATES):
        counts[row["source"]][row["fate"]] += row["documents"]
        counts[row["source"]]["documents"] += row["documents"]
        size[row["source"]][row["fate"]] += row["size"]
        size[row["source"]]["documents"] += row["size"]
    dedup = tables.records.get("dedup")
    if dedup is not None and dedup_mode(dedup) == "mark":
        for row in tables.ask(_MARKED):
            counts[row["source"]]["marked"] = row["n"]
    tokens = _count_splits(tables, counts, size, manifest)
    clean = tables.records.get("clean")
    is_sampled = clean is not None and clean.counts.get("left_out_by_sample", 0) > 0
    for columns in counts.values():
        # Documents that sample_fraction leaves out have no row in any later table.
        left_out = columns["fetches"] - columns["refetched"] - columns["documents"]
        columns["sampled_out"] = left_out if is_sampled else 0
    return {
        source: SourceFunnel(
            **columns,
            input_bytes=input_bytes.get(source, 0),
            text_bytes=dict(size[source]),
            tokens=tokens.get(source, {}),
        )
        for source, columns in sorted(counts.items())
    }


def _read_sources(tables: Tables, counts: dict[str, Counter[str]]) -> dict[str, int]:
    """Count what ingest read; returns the bytes of each source's files."""
    record = tables.records.get("ingest")
    facts = record.facts_of(IngestFacts).sources if record is not None else {}
    named = (
        [one["name"] for one in record.settings.get("sources", [])] if record is not None else []
    )
    for source in (*named, *facts):
        counts[source]["fetches"] += 0
    for column, sql in (
        ("fetches", "SELECT source, count(*) AS n FROM fetches GROUP BY source"),
        ("refetched", "SELECT source, count(*) AS n FROM refetches GROUP BY source"),
        ("unreadable", "SELECT source, count(*) AS n FROM rejects WHERE stage = 'ingest' GROUP BY source"),
    ):  # fmt: skip
        for row in tables.ask(sql):
            counts[row["source"]][column] += row["n"]
    return {source: one.bytes for source, one in facts.items()}


def _count_splits(
    tables: Tables,
    counts: dict[str, Counter[str]],
    size: dict[str, Counter[str]],
    manifest: Manifest | None,
) -> dict[str, dict[str, int]]:
    """Count where kept documents are; returns tokens by source and fate, estimated where not counted."""
    tokens: dict[str, Counter[str]] = defaultdict(Counter)
    tokenised: dict[str, Counter[str]] = defaultdict(Counter)
    for row in tables.ask(_SPLITS):
        source, part = row["source"], row["part"]
        tokenised[source].update(bytes=row["size"], tokens=row["tokens"])
        if manifest is not None:
            tokens[source][part] = row["tokens"]
            size[source][part] = row["size"]
            counts[source]["not_sampled"] += row["documents"] if part == "not_sampled" else 0
    if manifest is not None:
        for split, name in ((manifest.train, "train"), (manifest.heldout, "heldout")):
            for source, summary in split.sources.items():
                counts[source][name] += summary.documents
    whole = sum(tokenised.values(), Counter())
    ratio = whole["bytes"] / whole["tokens"] if whole["tokens"] else BYTES_PER_TOKEN
    for source, sizes in size.items():
        of_source = tokenised[source]
        own = of_source["bytes"] / of_source["tokens"] if of_source["tokens"] else ratio
        if of_source:
            sizes["edited"] = sizes["kept"] - of_source["bytes"]
        for fate, count in sizes.items():
            if fate not in tokens[source]:
                tokens[source][fate] = round(count / own)
    return {source: dict(found) for source, found in tokens.items()}


def sums_that_must_hold(
    sources: Mapping[str, SourceFunnel], *, finished: bool = True
) -> list[Check]:
    """Sums over all sources; one that does not hold says that rows were lost.

    Of an unfinished run, only the sum over the fates can hold.
    """

    def total(*names: str) -> int:
        return sum(int(getattr(s, name)) for s in sources.values() for name in names)

    fates = ("kept", "dropped", "duplicate", "contaminated", "excluded", "rejected")
    of_fates = Check(
        claim="documents = " + " + ".join(fates), left=total("documents"), right=total(*fates)
    )
    if not finished:
        return [of_fates]
    return [
        Check(
            claim="fetches = refetched + left out by sample_fraction + documents",
            left=total("fetches"),
            right=total("refetched", "sampled_out", "documents"),
        ),
        of_fates,
        Check(
            claim="kept = train + held out + not sampled",
            left=total("kept"),
            right=total("train", "heldout", "not_sampled"),
        ),
    ]
