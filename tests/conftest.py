"""Fixtures of all tests, and their lanes."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.lanes import LEFT_OUT, Guard, marks_by_use, marks_of, quick
from tests.support.scheduling import pytest_xdist_make_scheduler  # noqa: F401 - pytest finds it here

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

GUARD = Guard()
# The same examples in every run, so that a change is judged by what it changes; new ones on request.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("default" if "FUZZ" in os.environ else "repeatable")
# Two processes share two cores. Before torch is imported; what tests start inherits it.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="no Spark, ranks, browser or slow test")


def pytest_configure(config: pytest.Config) -> None:
    GUARD.install()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for mark in marks_by_use(item):
            item.add_marker(mark)
    if config.getoption("fast"):
        left_out = [item for item in items if marks_of(item) & LEFT_OUT]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not marks_of(item) & LEFT_OUT]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with GUARD.during(marks_of(item)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with quick() if item.config.getoption("fast") else nullcontext():
        return (yield)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One small local session for all tests of a run; Java is found as the programs find it."""
    from jobs.spark.class_archive import jvm_options
    from jobs.spark.java import find_java
    from jobs.spark.session import build_session
    from refinery.recipe import Runtime

    os.environ["JAVA_HOME"] = str(find_java().home)
    os.environ.setdefault("SPARK_SUBMIT_OPTS", jvm_options())
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", f"--master local[2] {_measured()}pyspark-shell")
    session = build_session("tests", Runtime(output="unused", partitions=2))
    yield session
    session.stop()


def _measured() -> str:
    """spark-submit's option for workers that save their coverage, where it is measured."""
    if "COVERAGE_PROCESS_CONFIG" not in os.environ:
        return ""
    return "--conf spark.python.daemon.module=tests.support.measured_daemon "
