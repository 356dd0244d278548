"""`train selftest --world 4|8`: every family in every parallel strategy against one process."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--world", type=int, choices=(4, 8), default=4, help="processes")
    parser.add_argument(
        "--family", action="append", default=[], help="only this family: gpt2, llama, t5, bert"
    )
    parser.add_argument(
        "--strategy",
        "--layout",
        action="append",
        default=[],
        help="only this parallel strategy, by the name that the matrix prints",
    )
    parser.add_argument(
        "--reshard",
        action="store_true",
        help="load what each parallel strategy saved in each other one",
    )
    parser.add_argument(
        "--plant",
        choices=("mean_of_means", "bias_per_rank"),
        help="break the mathematics, to see that it is found",
    )


def run(args: argparse.Namespace) -> int:
    """Print the matrix; 1 where a cell failed."""
    from train.selftest.strategy_matrix import selftest  # torch starts only now

    return selftest(
        args.world,
        plant=args.plant,
        families=tuple(args.family),
        strategies=tuple(args.strategy),
        reshards=args.reshard,
    )
