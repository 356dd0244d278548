"""`train pretrain`: settings first, then torch, then the process group."""

from __future__ import annotations

import argparse
import json
import os
import sys

from train.commands.arguments import add_recipe_arguments, settings_of
from train.distributed.environment import world_size_of_environment
from train.parallel.config import AsynchronousConfig
from train.recipe_facts import judge_recipe
from train.settings import TrainSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_arguments(parser)
    add_source_argument(parser)
    parser.add_argument(
        "--from-last-good",
        action="store_true",
        help="go back to the newest checkpoint that is whole, where the last one is damaged",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="refuse to resume: fail where checkpoints exist"
    )


def add_source_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--from`: the weights that a run begins with."""
    parser.add_argument(
        "--from",
        dest="source",
        metavar="DIR|PRESET",
        help="start from a Hugging Face folder, a run or a checkpoint; or new, from a preset",
    )


def start_from(source: str) -> list[str]:
    """The changes of a recipe that `--from` stands for: the shape is that of the weights, whatever it names."""
    return ["model.preset=null", f"warm_start.source={json.dumps(source)}"]


def run(args: argparse.Namespace) -> int:
    """Train until the recipe's end; resumes by itself from the last good checkpoint."""
    if args.source is not None:
        args.overrides += start_from(args.source)
    settings = settings_of(args)
    config = settings.asynchronous
    if config is not None:
        return _asynchronous(settings, config, args)
    judge_recipe(settings, world_size_of_environment())
    from train.loop.run import pretrain  # torch starts only now

    return pretrain(settings, is_fresh=args.fresh, goes_back=args.from_last_good)


def _asynchronous(
    settings: TrainSettings, config: AsynchronousConfig, args: argparse.Namespace
) -> int:
    """Do this process's part of the run; without torchrun, start all processes on this machine."""
    has_ranks = "RANK" in os.environ
    judge_recipe(settings, world_size_of_environment() if has_ranks else config.processes)
    if not has_ranks:
        from train.parameter_server.launch import launch

        return launch(config, sys.argv[1:])
    from train.parameter_server.run import pretrain_asynchronous

    return pretrain_asynchronous(settings, is_fresh=args.fresh, goes_back=args.from_last_good)
