"""`train merge RUN --last K`: the average of a run's last checkpoints as a checkpoint that opens like any other."""

from __future__ import annotations

import argparse
from pathlib import Path

from schemas.yaml_files import dump_yaml
from train.commands.arguments import existing_folder, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=existing_folder, metavar="RUN", help="folder of a run")
    parser.add_argument(
        "--last", type=positive, required=True, metavar="K", help="number of newest checkpoints"
    )
    parser.add_argument(
        "--method", choices=("uniform", "ema"), default="uniform",
        help="ema: each older checkpoint weighs --decay times the next",
    )  # fmt: skip
    parser.add_argument("--decay", type=float, default=0.5, help="of ema; 0.5")
    parser.add_argument(
        "--output", type=Path, help="folder of the average; by default RUN-merged-K"
    )


def run(args: argparse.Namespace) -> int:
    """Write the average, and print which checkpoints it is made of."""
    from train.checkpoint.merge import Average, merge_checkpoints  # torch starts only now
    from train.checkpoint.state_file import read_state

    average = Average(last=args.last, method=args.method, decay=args.decay)
    output = args.output or args.run.with_name(f"{args.run.resolve().name}-merged-{args.last}")
    written = merge_checkpoints(args.run, output, average)
    state = read_state(written)
    settings = {**state["settings"], "output": str(output)}
    (output / "settings.yaml").write_text(dump_yaml(settings), encoding="utf-8")
    for one in state["merged"]["checkpoints"]:
        print(f"step {one['step']:>10,}  weight {one['weight']:.4f}")
    print(written)
    return 0
