"""`train selftest --world 4|8`: every family in every layout against one process."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--world", type=int, choices=(4, 8), default=4, help="processes")
    parser.add_argument(
        "--family", action="append", default=[], help="only this one: gpt2, llama, t5, bert"
    )
    parser.add_argument("--layout", action="append", default=[], help="only this one, as printed")
    parser.add_argument(
        "--reshard", action="store_true", help="checkpoints from every layout into every other"
    )
    parser.add_argument(
        "--plant",
        choices=("mean_of_means", "bias_per_rank"),
        help="break the mathematics, to see that it is found",
    )


def run(args: argparse.Namespace) -> int:
    """Print the matrix; 1 where a cell failed."""
    from train.selftest.layout_matrix import selftest  # torch starts only now

    return selftest(
        args.world,
        plant=args.plant,
        families=tuple(args.family),
        layouts=tuple(args.layout),
        reshards=args.reshard,
    )
