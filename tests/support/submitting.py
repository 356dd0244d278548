"""spark-submit as tests run it."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from jobs.java import find_java

SUBMIT_SECONDS = 420


def spark_home() -> Path:
    """The folder of the installed pyspark."""
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def spark_environment() -> dict[str, str]:
    """This process's environment, with Java and the interpreter that has the packages."""
    return {
        **os.environ,
        "JAVA_HOME": str(find_java().home),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }
