"""How queries are planned: at once for small tables, step by step for large ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobs.spark.session import SMALL_BYTES, plan_for

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ADAPTIVE, PARTITIONS = "spark.sql.adaptive.enabled", "spark.sql.shuffle.partitions"


@pytest.mark.parametrize(
    ("size", "partitions", "is_adaptive"),
    [
        (SMALL_BYTES, "8", "false"),
        (SMALL_BYTES + 1, "8", "true"),
        (10, "500", "true"),
        (None, "8", "true"),
    ],
)
def test_small_tables_are_planned_once(
    size: int | None, partitions: str, is_adaptive: str, spark: SparkSession
) -> None:
    before = {key: spark.conf.get(key) for key in (ADAPTIVE, PARTITIONS)}
    try:
        spark.conf.set(PARTITIONS, partitions)
        plan_for(spark, size)

        assert spark.conf.get(ADAPTIVE) == is_adaptive
    finally:
        for key, value in before.items():
            spark.conf.set(key, str(value))
