"""`train ladder`: the law of loss by size and tokens from runs of several sizes, and what it says of a larger one."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict

from schemas.errors import SettingsError
from schemas.plain_json import json_text
from train.commands.arguments import existing_file, positive
from train.scaling.law import Allocation
from train.scaling.points_file import read_points


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--points",
        type=existing_file,
        required=True,
        help="a JSON line for each run: parameters, tokens, loss (nats per token)",
    )
    parser.add_argument(
        "--counted",
        default="not said",
        help="which parameters the sizes count; the verdict says it",
    )
    parser.add_argument("--flops", type=amount, help="recommend size and tokens for this budget")
    parser.add_argument(
        "--target", nargs=2, type=amount, metavar=("PARAMETERS", "TOKENS"),
        help="say the loss of this run",
    )  # fmt: skip
    parser.add_argument(
        "--farthest", type=amount, default=8.0, metavar="TIMES",
        help="refuse what lies farther beyond the largest or below the smallest run; 8",
    )  # fmt: skip
    parser.add_argument("--resamples", type=positive, default=1_000, help="of the bootstrap; 1000")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")


def amount(text: str) -> float:
    """A finite number above 0, as 6e6 or 1500000."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got '{text}'")
    return number


def run(args: argparse.Namespace) -> int:
    """Fit the law to the runs of the file, and print the verdict."""
    if args.farthest < 1:
        raise SettingsError(f"--farthest {args.farthest:g}: expected 1 or more")
    points = read_points(args.points, counted=args.counted)
    from train.scaling.fit import Question, fit_ladder, ladder_lines  # scipy starts only now

    target = None
    if args.target is not None:
        target = Allocation(parameters=args.target[0], tokens=args.target[1])
    question = Question(
        flops=args.flops, target=target, factor=args.farthest, resamples=args.resamples
    )
    fit = fit_ladder(points, question)
    if args.json:
        verdict = {
            "runs": points.runs, "counted": points.counted, "law": asdict(fit.law),
            "by_huber": asdict(fit.by_huber), "noise": fit.noise, "refitted": fit.refitted,
            "answers": [asdict(one) for one in fit.answers],
        }  # fmt: skip
        print(json_text(verdict))
    else:
        print("\n".join(ladder_lines(fit)))
    return 0
