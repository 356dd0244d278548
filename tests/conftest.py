"""Fixtures of all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One small local session for all tests of a run; Java is found as the programs find it."""
    from jobs.spark.class_archive import jvm_options
    from jobs.spark.java import find_java
    from jobs.spark.session import build_session
    from refinery.recipe import Runtime

    os.environ["JAVA_HOME"] = str(find_java().home)
    os.environ.setdefault("SPARK_SUBMIT_OPTS", jvm_options())
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", "--master local[2] pyspark-shell")
    session = build_session("tests", Runtime(output="unused", partitions=2))
    yield session
    session.stop()
