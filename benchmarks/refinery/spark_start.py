"""What the way a local run starts is worth: wall seconds of whole runs and of a first query.

    python -m benchmarks.refinery.spark_start PAGES TOKENIZER_FOLDER [--rounds 3]

PAGES is a small folder of WARC files as `benchmarks.corpora.pages` writes them (20 MB of HTML). The same
recipe runs through `spark-submit jobs/refine.py`, without the archive of classes, and through
`python -m jobs.launch`, in turn. Between start and second query: a process that imports pyspark, with and
without the archive. The JVM's second compiler is off in all of them. The result holds the
shortest of the rounds, the stages' own seconds beside.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.races.pipeline import recipe
from benchmarks.record import argument_parser, record
from jobs.spark.class_archive import FIRST_COMPILER, class_archive, jvm_options
from jobs.spark.java import find_java
from refinery.report.write import run_records
from tests.support.submitting import refine_command

QUERIES = (
    "from pyspark.sql import SparkSession; "
    "s = SparkSession.builder.master('local[2]').config('spark.ui.enabled', 'false').getOrCreate(); "
    "s.range(9).selectExpr('sum(id)').collect(); "
    "s.range(999).repartition(4).groupBy('id').count().orderBy('count').collect()"
)


def timed(command: list[str], options: str) -> float:
    """Wall seconds of a process with these options for its JVM."""
    environment = {
        **os.environ, "JAVA_HOME": str(find_java().home), "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable, "SPARK_SUBMIT_OPTS": options,
        "REFINERY_MASTER": "local[2]",
    }  # fmt: skip
    started = time.monotonic()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.monotonic() - started


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("pages", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    assert class_archive().is_file(), "first: python -m jobs.spark.class_archive"
    rows: list[dict[str, Any]] = []
    for number in range(args.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "recipe.json"
            path.write_text(json.dumps(recipe(args.pages, args.tokenizer, Path(scratch))))
            outputs = [f"{scratch}/submitted", f"{scratch}/local"]
            submit = refine_command(path, Path(outputs[0]), "local[2]")
            local = [sys.executable, "-m", "jobs.launch", "--recipe", str(path)]
            local += ["--set", f"runtime.output={outputs[1]}"]
            query = [sys.executable, "-c", QUERIES]
            rows.append(
                {
                    "round": number,
                    "spark_submit": timed(submit, FIRST_COMPILER),
                    "local": timed(local, jvm_options()),
                    "stages_of_spark_submit": stage_seconds(outputs[0]),
                    "stages_of_local": stage_seconds(outputs[1]),
                    "second_query": timed(query, FIRST_COMPILER),
                    "second_query_with_archive": timed(query, jvm_options()),
                }
            )
    names = [name for name in rows[0] if name != "round"]
    best = {name: round(min(row[name] for row in rows), 1) for name in names}
    record("spark_start", {"seconds": best})


def stage_seconds(output: str) -> float:
    """Sum over the stages' own clocks."""
    return sum(record.seconds for record in run_records(output)[1].values())


if __name__ == "__main__":
    main()
