"""Intermediate tables of a running stage, on disk instead of in the executors' memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pyspark.sql import DataFrame

from jobs.pipeline.stage import StageContext
from jobs.spark.job_names import job_description
from refinery.publish import storage
from refinery.publish.store import summarise_table
from schemas.tables import TABLES


class Scratch:
    """Writes rows beside the attempt and reads them back; a call for each intermediate table."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self.folder = f"{context.attempt_uri}.scratch"
        self._uris: dict[DataFrame, str] = {}

    def __call__(self, rows: DataFrame) -> DataFrame:
        """Write rows; what is returned reads them."""
        step = len(self._uris)
        uri = storage.join_uri(self.folder, str(step))
        with job_description(self._context.spark, f"intermediate table {step}"):
            rows.write.mode("error").parquet(uri)
        written = self._context.spark.read.schema(rows.schema).parquet(uri)
        self._uris[written] = uri
        return written

    def count(self, written: DataFrame) -> int:
        """Rows of an intermediate table, from the footers: no Spark job."""
        return summarise_table(self._uris[written]).rows

    def publish(self, table: str, parts: Sequence[DataFrame]) -> None:
        """Make a table of the stage of these intermediate tables, whose files are moved: no Spark job.

        What was read from them before is read back from the table afterwards.
        """
        columns = [(column.name, column.type) for column in TABLES[table].columns]
        target = self._context.table_uri(table)
        for number, part in enumerate(parts):
            assert part.dtypes == columns, f"{table}: {part.dtypes}"
            system, path = storage.file_system(self._uris[part])
            _, folder = storage.file_system(target)
            system.makedirs(folder, exist_ok=True)
            for file in system.ls(path, detail=False):
                if file.endswith(".parquet"):
                    system.mv(file, f"{folder}/{number}-{file.rsplit('/', 1)[-1]}")


@contextmanager
def scratch(context: StageContext) -> Iterator[Scratch]:
    """Intermediate tables of the block; all of them are removed at its end.

    A killed run leaves them; they go with the attempts of dead runs.
    """
    tables = Scratch(context)
    yield tables
    system, path = storage.file_system(tables.folder)
    if system.exists(path):
        system.rm(path, recursive=True)
