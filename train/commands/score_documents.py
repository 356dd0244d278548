"""`train score-documents RUN`: early, late and final loss of each document, for the refinery to bound and weight by."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from schemas.errors import SettingsError
from train.commands.arguments import existing_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=existing_folder, metavar="RUN", help="folder of a run")
    parser.add_argument(
        "--manifest", help="dataset whose documents are scored; default: that of the run"
    )
    parser.add_argument(
        "--split", choices=("train", "heldout"), default="train", help="which split of it; train"
    )
    parser.add_argument(
        "--early", type=float, default=0.1, metavar="SHARE", help="of the run's steps; 0.1"
    )
    parser.add_argument(
        "--late", type=float, default=0.8, metavar="SHARE", help="of the run's steps; 0.8"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="Parquet file; default: document_losses.parquet in the run's folder",
    )


def run(args: argparse.Namespace) -> int:
    """Score by three checkpoints, write the table, print how the losses are spread."""
    if not 0 <= args.early < args.late < 1:
        raise SettingsError(
            f"--early {args.early} --late {args.late}: expected 0 <= early < late < 1, shares of the steps"
        )
    from rich.progress import Progress  # torch starts only now

    from train.checkpoint.pointer import step_of
    from train.distributed.world import open_world
    from train.evaluation.document_losses import (
        EARLY,
        FINAL,
        LATE,
        TABLE_NAME,
        chosen_checkpoints,
        document_losses,
        losses_table,
        summary,
        write_table,
    )
    from train.evaluation.open_heldout import HeldoutRequest, open_heldout
    from train.generation.open_model import open_weights
    from train.objectives.config import parse_objective

    chosen = chosen_checkpoints(args.run, {EARLY: args.early, LATE: args.late, FINAL: 1.0})
    target = args.out or args.run / TABLE_NAME
    if target.suffix != ".parquet":
        raise SettingsError(f"--out {target}: expected a name that ends in .parquet")
    found = {}
    about = {"run": args.run.resolve().name}
    with open_world(timeout_seconds=600) as world, Progress() as progress:
        for name, path in chosen.items():
            weights = open_weights(path)
            weights.model.to(world.device)
            assert weights.state is not None, "a checkpoint of ours"
            settings = weights.state["settings"]
            request = HeldoutRequest(
                manifest=args.manifest or weights.state["manifest"],
                objective=parse_objective(dict(settings.get("objective") or {})),
                split=args.split,
            )
            split = open_heldout(weights, request)
            bar = progress.add_task(f"{name} (step {step_of(path):,})", total=split.data.num_rows)
            found[name] = document_losses(weights, split, said=partial(progress.advance, bar))
            about |= {f"{name}_step": str(step_of(path)), "root": split.data.manifest.root}
    table = losses_table(found, {**about, "split": args.split})
    write_table(target, table)
    print(f"{table.num_rows:,} documents; nats per label at percentiles")
    print(f"{'':<8}" + "".join(f"{p:>9}" for p in (1, 10, 50, 90, 99)))
    for name, values in summary(table, [*chosen, "learnt"]):
        print(f"{name:<8}" + "".join(f"{value:>9.3f}" for value in values))
    print(target)
    return 0
