"""By how much a sample's numbers grow: each source by its own share, never by one number for all.

A source of one file is in the sample whole; its documents are there already, whatever the others lack.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow.compute as pc

from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.recipe import Recipe
from refinery.report.tables import Tables
from schemas.manifest import Manifest
from schemas.tables import TABLES

# Stages whose work is in the bytes of the input; that of the others is in the documents that are left.
BYTE_STAGES = ("ingest", "clean")


@dataclass(frozen=True)
class Factors:
    """Size of the whole over that of the sample.

    Attributes:
        bytes: Of all input, in bytes.
        documents: Of the documents of all sources.
        text: Of the kept text of all sources.
        dataset: Of the packed tokens; where the recipe has a budget, that of the budget.
        tables: Of the rows of tables that name a source, by (stage, table).
    """

    bytes: float
    documents: float
    text: float
    dataset: float
    tables: Mapping[tuple[str, str], float] = field(default_factory=dict)

    @classmethod
    def uniform(cls, factor: float) -> Factors:
        """One factor for everything, as of a single source."""
        return cls(bytes=factor, documents=factor, text=factor, dataset=factor)

    def of_table(self, stage: str, table: str) -> float:
        return self.tables.get((stage, table), self.documents)

    def of_stage(self, stage: str) -> float:
        """Factor of the work of a stage."""
        return self.bytes if stage in BYTE_STAGES else self.text


def weighted(by_source: Mapping[str, float], factors: Mapping[str, float], default: float) -> float:
    """The factor of a sum over sources, from the parts of it that the sample has."""
    whole = sum(by_source.values())
    if not whole:
        return default
    return sum(amount * factors.get(name, default) for name, amount in by_source.items()) / whole


def measure_factors(
    recipe: Recipe,
    factors: Mapping[str, float],
    *,
    in_bytes: float,
    published: tuple[Store, Mapping[str, StageRecord]],
    manifest: Manifest,
) -> Factors:
    """Factors from what each source gave to the tables and the dataset of the sample's run.

    Args:
        recipe: The recipe.
        factors: Bytes of the whole over bytes of the sample, by source.
        in_bytes: The same for all sources together.
        published: Store and records of the sample's run.
        manifest: Manifest of the sample's dataset.
    """
    tables = {
        (stage, table): weighted(found, factors, in_bytes)
        for (stage, table), found in _rows_by_source(*published).items()
    }
    texts: Counter[str] = Counter()
    for split in (manifest.train, manifest.heldout):
        texts.update({name: source.text_bytes for name, source in split.sources.items()})
    text = weighted(texts, factors, in_bytes)
    return Factors(
        bytes=in_bytes,
        documents=tables.get(("clean", "ledger"), in_bytes),
        text=text,
        # The sample's budget was made smaller by this factor.
        dataset=in_bytes if recipe.mixture.budget_tokens is not None else text,
        tables=tables,
    )


def _rows_by_source(
    store: Store, records: Mapping[str, StageRecord]
) -> dict[tuple[str, str], dict[str, float]]:
    """Rows by source of every table that names one."""
    tables = Tables(store, records)
    found: dict[tuple[str, str], dict[str, float]] = {}
    for stage, record in records.items():
        for table, summary in record.tables.items():
            if not summary.rows or not _names_source(table):
                continue
            counts: dict[str, float] = {}
            for batch in tables.batches(stage, table, ("source",)):
                for entry in pc.value_counts(batch.column("source")).to_pylist():
                    name = str(entry["values"])
                    counts[name] = counts.get(name, 0.0) + entry["counts"]
            found[stage, table] = counts
    return found


def _names_source(table: str) -> bool:
    return table in TABLES and "source" in TABLES[table].column_names


def notes_on_sample(files: Mapping[str, int], factors: Mapping[str, float]) -> list[str]:
    """What makes an estimate unsure: sources that a sample of files cannot show a part of.

    Args:
        files: Number of files by source, of the whole input.
        factors: Bytes of the whole over bytes of the sample, by source.
    """
    return [
        f"source '{name}' is a table or a run, of which no sample is taken: it is not in the estimate"
        for name, number in files.items()
        if not number
    ] + [
        f"source '{name}' is one file, so the sample holds all of it; split it for a smaller sample"
        for name, number in files.items()
        if number == 1 and factors[name] == 1 and any(factor > 1 for factor in factors.values())
    ]
