"""Run `jobs/refine.py` through spark-submit on this machine, without Spark's start if it can.

    python -m jobs.submit --recipe R [--set KEY=VALUE ...]

Whether every stage is published needs no Spark: then the report is refreshed and nothing starts.
Spark's log goes to a file beside the results, the terminal keeps the progress bars.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path

from jobs.java import find_java
from jobs.runner import parse_recipe_arguments
from schemas.errors import SettingsError, run_main

# The second compiler costs a short run more than it gives: of 57 CPU seconds of a run over 20 MB of
# HTML it took 25 on the cores that the workers need. Heavy work is Python's and native here.
JVM_OPTIONS = "-XX:TieredStopAtLevel=1"


def spark_submit() -> Path:
    """The spark-submit of the installed pyspark.

    Raises:
        SettingsError: pyspark is not installed.
    """
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise SettingsError("pyspark is not installed: pip install -e '.[refinery]'")
    return Path(spec.origin).parent / "bin" / "spark-submit"


def main(argv: list[str]) -> int:
    """Submit and hand on the exit code."""
    settings, _ = parse_recipe_arguments("submit", argv)
    environment = {**os.environ, "JAVA_HOME": str(find_java().home)}
    environment.setdefault("PYSPARK_PYTHON", sys.executable)
    environment["PYSPARK_DRIVER_PYTHON"] = sys.executable
    log = Path(settings.runtime.output).absolute() / "spark.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with as_file(files("jobs").joinpath("log4j2.properties")) as log_settings:
        options = f"-Dlog4j2.configurationFile={log_settings} -Drefinery.log={log} {JVM_OPTIONS}"
        command = [
            str(spark_submit()),
            "--master",
            environment.get("REFINERY_MASTER", "local[*]"),
            "--driver-memory",
            environment.get("REFINERY_DRIVER_MEMORY", "1g"),
            "--driver-java-options",
            options,
            "--conf",
            "spark.ui.enabled=false",
            str(Path(__file__).with_name("refine.py")),
            *argv,
        ]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    run_main(main)
