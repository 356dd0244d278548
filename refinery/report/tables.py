"""The published tables of one run, streamed with Arrow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.store import Store


class Tables:
    """Reads the tables of one run's stages, column by column and batch by batch."""

    def __init__(self, store: Store, records: Mapping[str, StageRecord]) -> None:
        self.store = store
        self.records = records

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

    def count(self, stage: str, table: str, column: str) -> Counter[Any]:
        """Rows by value of one column."""
        counts: Counter[Any] = Counter()
        for batch in self.batches(stage, table, (column,)):
            for entry in pc.value_counts(batch.column(column)).to_pylist():
                counts[entry["values"]] += entry["counts"]
        return counts
