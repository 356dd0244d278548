"""How many jobs Spark runs for a small recipe, by stage, and how many of them say what they are for.

    python -m benchmarks.refinery.spark_jobs [--documents 212]

A corpus of four sources is made from a seed and refined whole in one local session. Printed and
stored in results/spark_jobs.json: jobs by group (the stage), and jobs without a group or description.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.record import argument_parser, record

RUNS = 1


def count_jobs(context: Any) -> dict[str, Any]:
    """Jobs of a session by group, from Spark's own books."""
    store = context._jsc.sc().statusStore()
    jobs = store.jobsList(context._jvm.java.util.ArrayList())
    groups: Counter[str] = Counter()
    unnamed = 0
    for number in range(jobs.size()):
        job = jobs.apply(number)
        group = job.jobGroup()
        groups[group.get() if group.isDefined() else "(none)"] += 1
        unnamed += not job.description().isDefined()
    return {"jobs": sum(groups.values()), "by_stage": dict(groups), "without_description": unnamed}


def main(argv: list[str] | None = None) -> None:
    """Refine the corpus and count."""
    parser = argument_parser(__doc__)
    parser.add_argument("--documents", type=int, default=212)
    args = parser.parse_args(argv)
    from jobs.pipeline.runner import run_stages
    from jobs.refine import STAGES
    from jobs.spark.class_archive import jvm_options
    from jobs.spark.java import find_java
    from jobs.spark.session import build_session
    from refinery.recipe import load_recipe
    from tests.support.corpus import write_corpus

    os.environ["JAVA_HOME"] = str(find_java().home)
    os.environ.setdefault("SPARK_SUBMIT_OPTS", jvm_options())
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", "--master local[2] pyspark-shell")
    with tempfile.TemporaryDirectory() as folder:
        settings = load_recipe(write_corpus(Path(folder), documents=args.documents))
        session = build_session("jobs", settings.runtime)
        done = run_stages(settings, STAGES)
        found = count_jobs(session.sparkContext)
        seconds = {name: one.seconds for name, one in done.records.items()}
        session.stop()
    print(found)
    record("spark_jobs", {"documents": args.documents, **found, "seconds": seconds})


if __name__ == "__main__":
    main()
