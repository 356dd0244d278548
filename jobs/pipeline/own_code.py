"""Send the user's own functions to the executors."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession

from refinery.publish.own_code import write_bundle


def ship_own_code(spark: SparkSession, names: Sequence[str]) -> None:
    """Make the modules of `module:function` importable on every executor, once per content and session."""
    folder = Path(tempfile.mkdtemp(prefix="own-code-"))  # executors fetch the file with their tasks
    bundle = write_bundle(names, folder)
    if bundle is not None:
        spark.sparkContext.addPyFile(str(bundle))
