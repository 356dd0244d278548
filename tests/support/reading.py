"""Read a source as the tasks of `ingest` do, without Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from refinery.sources.config import ReadLimits, SourceConfig
from refinery.sources.listing import list_files
from refinery.sources.reading import TABLES_WRITTEN, FileReader, ListedFile
from refinery.tables import UnionRows


def source_of(folder: Path, kind: str, **settings: Any) -> SourceConfig:
    """A source named `s` over a folder."""
    return SourceConfig.model_validate(
        {"name": "s", "uri": str(folder), "format": kind, **settings}
    )


def rows_of(source: SourceConfig, **limits: Any) -> dict[str, list[dict[str, Any]]]:
    """Rows by table, in the order of the files' names."""
    rows = UnionRows(TABLES_WRITTEN)
    batches = []
    for file in list_files(source):
        listed = ListedFile(file.source, file.name, file.uri, 0)
        batches += FileReader(rows, listed, source, ReadLimits(**limits)).open_and_read()
    batches += rows.remaining_batches()
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES_WRITTEN}
    for batch in batches:
        for row in batch.to_pylist():
            tables[row["table"]].append(row)
    return tables
