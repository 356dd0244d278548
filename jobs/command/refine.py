"""`refinery refine --recipe R`: the same as `spark-submit jobs/refine.py`, in this process."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from jobs.java import find_java
from refinery.recipe import load_recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments are those of the job; all are handed on."""
    parser.add_argument("--recipe", required=True, type=Path, help="settings file (YAML)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--until", metavar="STAGE", help="stop after this stage")
    parser.add_argument(
        "--from",
        metavar="STAGE",
        dest="first",
        help="start at this stage; those before it must be published",
    )


def run(args: argparse.Namespace) -> int:
    """Check the recipe first: a misspelt key must not wait for Spark's import."""
    load_recipe(args.recipe, tuple(args.overrides))
    os.environ["JAVA_HOME"] = str(find_java().home)
    from jobs.refine import main
    from jobs.submit import JVM_OPTIONS

    os.environ.setdefault("SPARK_SUBMIT_OPTS", JVM_OPTIONS)
    argv = ["--recipe", str(args.recipe)]
    for override in args.overrides:
        argv += ["--set", override]
    argv += ["--until", args.until] if args.until else []
    argv += ["--from", args.first] if args.first else []
    return main(argv)
