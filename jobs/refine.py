"""Run the jobs of one recipe in order; what is already published is skipped.

spark-submit jobs/refine.py --recipe jobs/recipes/demo.yaml [--set KEY=VALUE] [--until STAGE]
"""

from __future__ import annotations

from jobs import (
    clean_documents,
    decontaminate_documents,
    dedup_documents,
    extend_vocabulary,
    find_homographs,
    ingest_documents,
    pack_shards,
    plan_mixture,
    register_benchmarks,
    tokenise_documents,
    train_quality,
)
from jobs.recipe_arguments import parse_recipe_arguments, refine_parser
from jobs.runner import run_stages
from jobs.write_report import finish_run
from schemas.errors import run_main

STAGES = (
    ingest_documents.STAGE,
    train_quality.STAGE,
    clean_documents.STAGE,
    find_homographs.STAGE,
    dedup_documents.STAGE,
    register_benchmarks.STAGE,
    decontaminate_documents.STAGE,
    extend_vocabulary.STAGE,
    tokenise_documents.STAGE,
    plan_mixture.STAGE,
    pack_shards.STAGE,
)


def main(argv: list[str]) -> int:
    """Run the stages, then write the report of a whole run."""
    settings, args = parse_recipe_arguments(argv, refine_parser("refine"))
    run = run_stages(settings, STAGES, first=args.first, last=args.until)
    if args.until is None:
        finish_run(run)
    return 0


if __name__ == "__main__":
    run_main(main)
