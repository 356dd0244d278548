"""What starts Spark on this machine: the environment of its launcher."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from jobs.spark.class_archive import jvm_options
from jobs.spark.java import find_java
from jobs.spark.own_modules import with_own_modules
from jobs.spark.worker_daemon import MODULE


def launcher_environment(
    log: Path, log_settings: Path, *, with_ui: bool, conf: Sequence[str]
) -> dict[str, str]:
    """Environment variables that Spark's launcher reads; those that the caller set win.

    `conf` are settings as `--conf` takes them, `log` is the file for Spark's own log.
    """
    options = f"-Dlog4j2.configurationFile={log_settings} -Drefinery.log={log}"
    master = os.environ.get("REFINERY_MASTER", "local[*]")
    # Here Spark's Python finds the packages that this process has found.
    daemon = [f"spark.python.daemon.module={MODULE}"] if master.startswith("local") else []
    submit = [
        "--master", master,
        "--driver-memory", os.environ.get("REFINERY_DRIVER_MEMORY", "1g"),
        "--driver-java-options", options,
        "--conf", f"spark.ui.enabled={str(with_ui).lower()}",
        *(word for setting in [*daemon, *conf] for word in ("--conf", setting)),
        "pyspark-shell",
    ]  # fmt: skip
    ours = {
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": shlex.join(submit),
        "SPARK_SUBMIT_OPTS": jvm_options(),
    }
    return {**ours, **os.environ, **with_own_modules(), "JAVA_HOME": str(find_java().home)}
