"""spark-submit as tests run it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from jobs.spark.class_archive import jvm_options
from jobs.spark.java import find_java
from schemas.manifest import Manifest, read_manifest

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
        "SPARK_SUBMIT_OPTS": jvm_options(),
        **os.environ,
        "JAVA_HOME": str(find_java().home),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }


def refine_command(recipe: Path, output: Path, master: str, *options: str) -> list[str]:
    """spark-submit of the whole recipe into `output`."""
    return [
        str(spark_home() / "bin" / "spark-submit"), "--master", master, "--driver-memory", "1g",
        "--conf", "spark.ui.enabled=false", *options, "jobs/refine.py", "--recipe", str(recipe),
        "--set", f"runtime.output={output}",
    ]  # fmt: skip


def refine(recipe: Path, output: Path, master: str, *options: str) -> Manifest:
    """Run the whole recipe and read the manifest that it wrote."""
    done = subprocess.run(
        refine_command(recipe, output, master, *options),
        env=spark_environment(),
        capture_output=True,
        text=True,
        timeout=SUBMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stdout[-1000:], done.stderr[-3000:])
    return read_manifest(output / "dataset")
