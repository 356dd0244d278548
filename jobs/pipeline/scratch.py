"""Intermediate tables of a running stage, on disk instead of in the executors' memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame

from jobs.pipeline.stage import StageContext
from jobs.spark.job_names import job_description
from refinery.publish import storage


@contextmanager
def scratch(context: StageContext) -> Iterator[Callable[[DataFrame], DataFrame]]:
    """Write rows beside the attempt and read them back; all of it is removed at the end.

    A killed run leaves them; they go with the attempts of dead runs.
    """
    folder = f"{context.attempt_uri}.scratch"
    number = itertools.count()

    def persist(rows: DataFrame) -> DataFrame:
        step = next(number)
        uri = storage.join_uri(folder, str(step))
        with job_description(context.spark, f"intermediate table {step}"):
            rows.write.mode("error").parquet(uri)
        return context.spark.read.schema(rows.schema).parquet(uri)

    yield persist
    system, path = storage.file_system(folder)
    if system.exists(path):
        system.rm(path, recursive=True)
