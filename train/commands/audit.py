"""`train audit --steps K`: do random past steps still give the bits that they gave?"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from schemas.errors import ContractError
from schemas.plain_json import json_text
from train.commands.arguments import add_recipe_arguments, not_negative, positive, settings_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_arguments(parser)
    parser.add_argument("--steps", type=positive, default=20, help="steps that are replayed")
    parser.add_argument("--seed", type=not_negative, default=1, help="chooses them")


def run(args: argparse.Namespace) -> int:
    """Print one JSON line for each step; the exit code is 3 where one differs."""
    settings = settings_of(args)
    from train.distributed.world import open_world  # torch starts only now
    from train.loop.audit import audit
    from train.loop.replay import open_replay
    from train.report.events import EVENTS_NAME, EventLog
    from train.report.run_files import read_metrics

    output = Path(settings.output)
    records = read_metrics(output / "metrics.jsonl")
    if settings.threads is not None:
        import torch

        torch.set_num_threads(settings.threads)
    wrong = []
    with (
        open_world(timeout_seconds=settings.step_timeout_seconds) as world,
        open_replay(settings, world) as replay,
    ):
        for found in audit(replay, records, count=args.steps, seed=args.seed):
            if world.is_first:
                print(json_text(asdict(found)), flush=True)
            if found.differences:
                wrong.append(found)
        if wrong and world.is_first:
            details = [f"{name}" for name in wrong[0].differences]
            EventLog(output / EVENTS_NAME).append("audit", step=wrong[0].step, differences=details)
    if wrong:
        raise ContractError(
            f"{output}: {len(wrong)} replayed steps differ, the first is step {wrong[0].step}: "
            f"{wrong[0].differences[0]} (train diff-env tells what changed around it)"
        )
    return 0
