"""How the JVM of a run on this machine starts: a second saved at each start is saved in every test.

    python -m jobs.spark.class_archive   # once: writes the archive of Spark's classes that later starts map

A start of Spark to its second query takes 8.5 s with its classes read from their jars and 4.7 s with
this archive (2 cores, benchmarks/refinery/spark_start.py). A cluster's JVMs keep their own settings.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from jobs.spark.java import find_java
from jobs.spark.own_modules import with_own_modules
from schemas.errors import PipelineError, run_main

# The second compiler costs a short run more than it gives: of 57 CPU seconds of a run over 20 MB of
# HTML it took 25 on the cores that the workers need. Heavy work is Python's and native here.
# Its cache of compiled code would be 48 MB, full within minutes; then the compiler is switched off.
FIRST_COMPILER = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
# An archive of another Java or other jars is left aside; that is no error, and standard output is ours.
QUIET = "-Xshare:auto -Xlog:disable -Xlog:all=error:stderr"
ARCHIVE_SECONDS = 300


def class_archive(prefix: Path | None = None) -> Path:
    """Where the classes of this Spark on this Java lie; in the virtual environment by default."""
    name = f"spark-{version('pyspark')}-java-{find_java().major}.jsa"
    return (prefix or Path(sys.prefix)) / "java-home" / name


def jvm_options(archive: Path | None = None) -> str:
    """Options of a local JVM, with the archive where it was made."""
    path = archive or class_archive()
    shared = f" {QUIET} -XX:SharedArchiveFile={path}" if path.is_file() else ""
    return FIRST_COMPILER + shared


def _write_class_archive(path: Path) -> bool:
    """Let a JVM load what a run loads and keep the classes; says whether this Java can.

    Args:
        path: The archive; written whole or not at all.

    Raises:
        PipelineError: Spark did not run; with the end of what it said.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        **with_own_modules(),
        "JAVA_HOME": str(find_java().home),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false pyspark-shell",
        "SPARK_SUBMIT_OPTS": f"{FIRST_COMPILER} {QUIET} -XX:ArchiveClassesAtExit={unfinished}",
    }
    try:
        subprocess.run(
            [sys.executable, "-m", "jobs.spark.warm_up"],
            env=environment,
            check=True,
            timeout=ARCHIVE_SECONDS,
            capture_output=True,
        )
        if unfinished.is_file():
            unfinished.replace(path)
    except subprocess.CalledProcessError as error:
        last = error.stderr.decode(errors="replace").strip()[-500:]
        raise PipelineError(f"Spark does not run on this machine: {last}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return path.is_file()


def main(argv: list[str]) -> int:
    """Write the archive unless it is there; without one Spark runs all the same."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(argv)
    path = class_archive()
    if path.is_file() or _write_class_archive(path):
        print(path)
    else:
        print("this Java keeps no archive of classes; Spark starts 4 s slower", file=sys.stderr)
    return 0


if __name__ == "__main__":
    run_main(main)
