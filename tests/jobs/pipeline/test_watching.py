"""Progress and cost of a stage, as Spark's own books tell them."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from jobs.pipeline.metering import metered
from jobs.pipeline.progress import spark_progress


def test_a_meter_counts_tasks_shuffles_and_python_of_its_block_alone(spark: SparkSession) -> None:
    rows = spark.range(2000).repartition(4)
    rows.count()  # before the block: not counted

    def busy(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass
        yield from batches

    with metered(spark) as meter:
        rows.mapInArrow(busy, rows.schema).groupBy("id").count().count()
    with metered(spark) as idle:
        pass

    assert meter.cost.task_seconds > 0
    assert meter.cost.shuffle_bytes > 0
    assert meter.cost.python_cpu_seconds is not None
    assert meter.cost.python_cpu_seconds >= 0.3
    assert idle.cost.task_seconds == idle.cost.shuffle_bytes == 0


def test_a_block_that_fails_is_metered_too(spark: SparkSession) -> None:
    meters = []

    def fail() -> None:
        with metered(spark) as meter:
            meters.append(meter)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert len(meters[0].costs) == 1


def test_the_bar_goes_with_its_block_and_hides_no_error(spark: SparkSession) -> None:
    console = Console(file=io.StringIO(), force_terminal=True)

    with (
        pytest.raises(ZeroDivisionError),
        spark_progress(spark, "clean", console),
    ):
        raise ZeroDivisionError

    assert "clean" in console.file.getvalue()  # type: ignore[attr-defined]
