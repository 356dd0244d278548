"""Spark's UI names the stage of a job and what it is for, also of jobs in threads of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.pipeline.concurrently import concurrently
from jobs.spark.job_names import DESCRIPTION, GROUP, job_description, job_group

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_jobs_carry_their_stage_and_purpose_into_threads(spark: SparkSession) -> None:
    context = spark.sparkContext

    def names() -> tuple[str | None, str | None]:
        return context.getLocalProperty(GROUP), context.getLocalProperty(DESCRIPTION)

    def work() -> tuple[str | None, str | None]:
        with job_description(spark, "write edges"):
            spark.range(3).count()
            return names()

    with job_group(spark, "dedup", "corpus"):
        outside = names()
        with concurrently() as actions:
            inside = [actions.start(work), actions.start(work)]
        after = names()

    assert outside == after == ("dedup", "dedup of corpus")
    assert [one.result() for one in inside] == [("dedup", "dedup: write edges")] * 2
    assert len(context.statusTracker().getJobIdsForGroup("dedup")) >= 2
    assert names() == (None, None)
