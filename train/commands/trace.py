"""`train trace --step N`: the documents that a step read, by arithmetic alone."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace

from schemas.errors import SettingsError
from schemas.plain_json import json_text
from train.commands.arguments import add_recipe_arguments, settings_of
from train.data.loader import shard_files
from train.data.remote import open_manifest
from train.data.spliced import open_spans
from train.loop.data_order import order_of_run
from train.loop.interventions import course_of_run
from train.loop.plan import RunPlan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_arguments(parser)
    parser.add_argument("--step", type=int, required=True, help="optimizer step, from 0")


def run(args: argparse.Namespace) -> int:
    """Print one JSON line per packed row of the step, with its documents."""
    settings = settings_of(args)
    files = shard_files(settings.manifest, settings.loader)
    manifest = open_manifest(files)
    plan = RunPlan.of(manifest, settings.batch, settings.stop, first_sample=settings.first_sample)
    if not 0 <= args.step < plan.total_steps:
        raise SettingsError(f"--step {args.step}: the run has steps 0 to {plan.total_steps - 1}")
    data = open_spans(
        settings.spans,
        settings.loader,
        seed=settings.seed,
        first_sample=settings.first_sample,
        order=order_of_run(settings),
    )
    span = replace(plan, skips=course_of_run(settings.output).skips).span(args.step)
    for sample in range(span.start, span.start + span.count):
        origin = data.origin(sample)
        line = {
            "step": args.step,
            "sample": sample,
            "manifest": origin.manifest_root[:12],
            "row": origin.row,
            "documents": [asdict(segment) for segment in origin.segments],
        }
        print(json_text(line))
    return 0
