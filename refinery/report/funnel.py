"""Where documents went, by source: one fate each, and sums that must hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import pyarrow.compute as pc

from refinery.report.data import Check, SourceFunnel
from refinery.report.dedup_numbers import dedup_mode
from refinery.report.tables import Tables
from refinery.sources.facts import IngestFacts
from schemas.manifest import Manifest


def count_funnel(tables: Tables, manifest: Manifest) -> dict[str, SourceFunnel]:
    """By source, in alphabetical order: every fetch and what became of its document."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    # Each source of the recipe has a row, also one that gave nothing.
    for source, facts in tables.records["ingest"].facts_of(IngestFacts).sources.items():
        counts[source]["unreadable"] = facts.num_rejects
    for column, stage, table in (
        ("fetches", "ingest", "fetches"),
        ("refetched", "ingest", "refetches"),
    ):
        for source, count in tables.count(stage, table, "source").items():
            counts[source][column] += count
    for batch in tables.batches("tokenise", "fates", ("source", "fate")):
        pairs = zip(
            batch.column("source").to_pylist(), batch.column("fate").to_pylist(), strict=True
        )
        for (source, fate), count in Counter(pairs).items():
            counts[source][fate] += count
            counts[source]["documents"] += count
    dedup = tables.records.get("dedup")
    if dedup is not None and dedup_mode(dedup) == "mark":
        for source, count in _marked(tables).items():
            counts[source]["marked"] = count
    for split, name in ((manifest.train, "train"), (manifest.heldout, "heldout")):
        for source, summary in split.sources.items():
            counts[source][name] += summary.documents
    for source, count in _not_sampled(tables).items():
        counts[source]["not_sampled"] = count
    for columns in counts.values():
        # Documents that sample_fraction leaves out have no row in any later table.
        columns["sampled_out"] = (
            columns["fetches"] - columns["refetched"] - columns["documents"]
            if tables.records["clean"].counts["left_out_by_sample"]
            else 0
        )
    return {source: SourceFunnel(**columns) for source, columns in sorted(counts.items())}


def _not_sampled(tables: Tables) -> Counter[str]:
    """Kept documents of which the mixture takes no copy, by source."""
    counts: Counter[str] = Counter()
    for batch in tables.batches("mixture", "mixture", ("source", "copies")):
        unused = batch.filter(pc.equal(batch.column("copies"), 0))
        counts.update(unused.column("source").to_pylist())
    return counts


def _marked(tables: Tables) -> Counter[str]:
    """Kept documents that are named as duplicates, by source; a contaminated one is not kept."""
    gone: set[str] = set()
    for batch in tables.batches("decontaminate", "contamination", ("doc_id", "action")):
        dropped = batch.filter(pc.equal(batch.column("action"), "drop"))
        gone.update(dropped.column("doc_id").to_pylist())
    rows = tables.rows("dedup", "duplicates", ("doc_id", "source"))
    return Counter(row["source"] for row in rows if row["doc_id"] not in gone)


def sums_that_must_hold(sources: Mapping[str, SourceFunnel]) -> list[Check]:
    """Sums over all sources; one that does not hold says that rows were lost."""

    def total(*names: str) -> int:
        return sum(int(getattr(s, name)) for s in sources.values() for name in names)

    fates = ("kept", "dropped", "duplicate", "contaminated", "excluded", "rejected")
    return [
        Check(
            claim="fetches = refetched + left out by sample_fraction + documents",
            left=total("fetches"),
            right=total("refetched", "sampled_out", "documents"),
        ),
        Check(
            claim="documents = " + " + ".join(fates), left=total("documents"), right=total(*fates)
        ),
        Check(
            claim="kept = train + held out + not sampled",
            left=total("kept"),
            right=total("train", "heldout", "not_sampled"),
        ),
    ]
