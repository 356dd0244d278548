"""Published tables that a test wrote itself, without Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from refinery.publish.facts import StageFacts
from refinery.publish.records import StageRecord, TableSummary
from refinery.publish.run_file import RunFile, write_run_file
from refinery.publish.store import Store
from refinery.report.tables import Tables

Rows = Sequence[Mapping[str, Any]]


def published_tables(
    folder: Path,
    stages: Mapping[str, Mapping[str, Rows]],
    *,
    facts: Sequence[StageFacts] = (),
    counts: Mapping[str, Mapping[str, int]] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    schemas: Mapping[str, pa.Schema] | None = None,
) -> Tables:
    """Write rows by stage and table, and open them as the report does.

    Args:
        folder: Root of the store.
        stages: Rows by stage and by table.
        facts: They go into the records of their stages.
        counts: Counts by stage and name.
        settings: The settings that a stage read, by stage.
        schemas: Of tables whose types are not to be guessed from the rows, by table.
    """
    store = Store(str(folder))
    records = {}
    dumped = {one.stage: one.model_dump(mode="json") for one in facts}
    for stage, tables in stages.items():
        for name, rows in tables.items():
            target = folder / stage / "run" / f"table={name}"
            target.mkdir(parents=True)
            schema = (schemas or {}).get(name)
            pq.write_table(
                pa.Table.from_pylist([dict(r) for r in rows], schema), target / "0.parquet"
            )
        records[stage] = StageRecord(
            stage=stage,
            fingerprint="0" * 64,
            attempt="run",
            tables={n: TableSummary(rows=len(r), bytes=1, files=1) for n, r in tables.items()},
            artefacts={},
            inputs={},
            settings=dict((settings or {}).get(stage, {})),
            counts=dict((counts or {}).get(stage, {})),
            facts=dumped.get(stage, {}),
            seconds=0.0,
            started_at="2000-01-01T00:00:00+00:00",
            code_version="0",
        )
    return Tables(store, records)


def write_run(output: Path, *, last: str = "tokenise") -> None:
    """A run that has come as far as a stage, with one kept document of two."""
    documents = [{"doc_id": name, "text": f"text {name}"} for name in "ab"]
    tables = {
        "clean": {"cleaned": documents},
        "tokenise": {"tokens": [{"doc_id": "a", "split": "train"}]},
    }
    records = published_tables(output / "tables", tables).records
    store, inputs = Store(str(output / "tables")), dict[str, str]()
    for stage in tables:
        store.publish(records[stage].model_copy(update={"inputs": dict(inputs)}))
        inputs[stage] = records[stage].fingerprint
        if stage == last:
            break
    run = RunFile(
        name="day", command=(), code_version="0", packages={}, settings={}, tables="tables",
        stages=inputs, started_at="2000-01-01T00:00:00+00:00",
    )  # fmt: skip
    write_run_file(str(output), run)
