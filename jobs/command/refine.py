"""`refinery refine RECIPE`: the same as `spark-submit jobs/refine.py`, in this process."""

from __future__ import annotations

import argparse

from jobs import launch as submit
from jobs.pipeline.arguments import (
    add_recipe_arguments,
    add_spark_arguments,
    add_stage_arguments,
    recipe_path,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments are those of the job; all are handed on."""
    add_recipe_arguments(parser)
    add_stage_arguments(parser)
    add_spark_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Hand on to the local start."""
    argv = ["--recipe", str(recipe_path(args))]
    for override in args.overrides:
        argv += ["--set", override]
    argv += ["--until", args.until] if args.until else []
    argv += ["--from", args.first] if args.first else []
    argv += ["--ui"] if args.ui else []
    for setting in args.conf:
        argv += ["--conf", setting]
    return submit.main(argv)
