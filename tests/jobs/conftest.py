"""One corpus for all whole runs: what an earlier one published is used again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.whole import write_texts

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def whole_root(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of texts and output, with Spark running."""
    folder = tmp_path_factory.mktemp("whole")
    write_texts(folder / "texts")
    return folder
