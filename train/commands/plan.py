"""`train plan`: what a recipe will do, before it does it."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from train.commands.arguments import add_recipe_arguments, settings_of
from train.data.remote import open_manifest
from train.loop.plan import RunPlan
from train.optim.schedules import learning_rate

_LINES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_recipe_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print steps, tokens, checkpoints and a table of batch and learning rate."""
    settings = settings_of(args)
    from train.data.loader import shard_files

    manifest = open_manifest(shard_files(settings.manifest, settings.loader))
    plan = RunPlan.of(settings, manifest)
    console = Console()
    total = plan.total_steps
    console.print(
        f"{total:,} steps, {plan.total_samples:,} rows of {plan.seq_len} tokens = "
        f"{plan.total_samples * plan.seq_len:,} tokens, "
        f"{plan.total_samples / plan.rows_per_pass:.2f} passes over {manifest.name} "
        f"({manifest.root[:12]}), a checkpoint every {settings.checkpoint.every_steps} steps"
    )
    table = Table("step", "tokens", "batch", "learning rate", "")
    for step in sorted({round(i * (total - 1) / _LINES) for i in range(_LINES + 1)}):
        rate = learning_rate(plan.progress(step), settings.schedule)
        span = plan.span(step)
        bar = "#" * round(40 * rate / settings.schedule.init_lr)
        tokens = span.start * plan.seq_len
        table.add_row(f"{step:,}", f"{tokens:,}", str(span.count), f"{rate:.3e}", bar)
    console.print(table)
    return 0
