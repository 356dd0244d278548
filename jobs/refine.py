"""Run the stages of one recipe in order; what is already published is skipped.

spark-submit jobs/refine.py --recipe jobs/recipes/demo.yaml [--set KEY=VALUE] [--until STAGE]
"""

from __future__ import annotations

from jobs.pipeline.arguments import parse_recipe_arguments, recipe_parser, refine_parser
from jobs.pipeline.report import finish_run
from jobs.pipeline.runner import run_stages
from jobs.stages import (
    benchmarks,
    clean,
    decontaminate,
    dedup,
    homographs,
    ingest,
    mixture,
    pack,
    quality,
    tokenise,
    vocabulary,
)
from refinery.recipe import RefineSettings
from schemas.errors import run_main

STAGES = (
    ingest.STAGE,
    quality.STAGE,
    clean.STAGE,
    homographs.STAGE,
    dedup.STAGE,
    benchmarks.STAGE,
    decontaminate.STAGE,
    vocabulary.STAGE,
    tokenise.STAGE,
    mixture.STAGE,
    pack.STAGE,
)


def main(argv: list[str]) -> int:
    """Run the stages, then write the report of a whole run."""
    settings, args = parse_recipe_arguments(argv, refine_parser("refine"))
    return run(settings, first=args.first, last=args.until)


def run(settings: RefineSettings, *, first: str | None = None, last: str | None = None) -> int:
    """Run the stages from one to another; the report follows where the dataset is there."""
    done = run_stages(settings, STAGES, first=first, last=last)
    if last is None and done.nothing_new is None:
        finish_run(done)
    return 0


def run_one_stage(name: str, argv: list[str]) -> int:
    """Run a single stage; the stages before it must be published."""
    settings, _ = parse_recipe_arguments(argv, recipe_parser(name))
    run_stages(settings, STAGES, first=name, last=name)
    return 0


if __name__ == "__main__":
    run_main(main)
