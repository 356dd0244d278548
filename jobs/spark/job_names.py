"""Names of Spark's jobs: the stage as their group, what is written as their description.

The UI shows the description in its lists of jobs and of SQL queries; without one it shows the line
of Java that started the job, the same for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

GROUP, DESCRIPTION = "spark.jobGroup.id", "spark.job.description"


@contextmanager
def job_group(session: SparkSession, stage: str, recipe: str) -> Iterator[None]:
    """Put the jobs of the block into a group of the stage's name."""
    context = session.sparkContext
    context.setJobGroup(stage, f"{stage} of {recipe}")
    yield
    # Not in a `finally`: after an interruption there may be no JVM to tell.
    for key in (GROUP, DESCRIPTION):
        context.setLocalProperty(key, None)


@contextmanager
def job_description(session: SparkSession, text: str) -> Iterator[None]:
    """Say of the jobs of the block what they are for, e.g. `dedup: write edges`."""
    context = session.sparkContext
    before, group = context.getLocalProperty(DESCRIPTION), context.getLocalProperty(GROUP)
    context.setJobDescription(f"{group}: {text}" if group else text)
    yield
    context.setLocalProperty(DESCRIPTION, before)
