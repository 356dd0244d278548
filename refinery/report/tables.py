"""The published tables of one run, streamed with Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.query.database import Database, open_tables
from refinery.query.questions import question


class Tables:
    """The tables of one run's stages: asked in SQL, or streamed column by column.

    A context manager: the database of `ask` is opened with the first question and closed at the end.
    """

    def __init__(self, store: Store, records: Mapping[str, StageRecord]) -> None:
        self.store = store
        self.records = records
        self._opened = ExitStack()
        self._database: Database | None = None

    def __enter__(self) -> Tables:
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()
        self._database = None

    def ask(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Rows of a SELECT over the published tables (refinery/query), for counts and samples."""
        if self._database is None:
            self._database = self._opened.enter_context(open_tables(self.store, self.records))
        return self._database.rows(sql, values)

    def ask_ready(self, name: str, **values: Any) -> list[dict[str, Any]]:
        """The answer to a ready question."""
        asked = question(name)
        return self.ask(asked.sql, **{**asked.values, **values})

    def batches(
        self, stage: str, table: str, columns: Sequence[str], *, batch_size: int = 4096
    ) -> Iterator[pa.RecordBatch]:
        """Stream columns of a table; none where the stage did not run or wrote no row."""
        record = self.records.get(stage)
        if record is None:
            return
        uri = self.store.table_uri(record, table)
        if not storage.exists(uri):
            return
        system, path = storage.file_system(uri)
        dataset = ds.dataset(path, format="parquet", filesystem=system, exclude_invalid_files=False)
        yield from dataset.to_batches(columns=list(columns), batch_size=batch_size)

    def rows(self, stage: str, table: str, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Stream rows as dictionaries by column; few columns, for every value becomes an object."""
        for batch in self.batches(stage, table, columns):
            yield from batch.to_pylist()
