"""`train pretrain`: settings first, then torch, then the process group."""

from __future__ import annotations

import argparse

from train.commands.arguments import add_recipe_arguments, settings_of
from train.parallel.environment import world_size_of_environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_recipe_arguments(parser)
    parser.add_argument(
        "--fresh", action="store_true", help="refuse to resume: fail where checkpoints exist"
    )


def run(args: argparse.Namespace) -> int:
    """Train until the recipe's end; resumes by itself from the last good checkpoint."""
    settings = settings_of(args)
    settings.parallel.replicas(world_size_of_environment())
    from train.loop.run import pretrain  # torch starts only now

    return pretrain(settings, is_fresh=args.fresh)
