"""`train ladder`: runs of several sizes and lengths, the law of loss that they follow, what it says of a larger run."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict

from schemas.errors import SettingsError
from schemas.plain_json import json_text
from train.commands.arguments import existing_file, positive
from train.scaling.law import Allocation
from train.scaling.points import LadderPoints
from train.scaling.points_file import read_points
from train.studies.ladder import (
    COUNTED_WORDS,
    POINTS_NAME,
    LadderPlan,
    climb,
    load_ladder,
    plan_ladder,
)
from train.studies.outcome import exit_code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "ladder", nargs="?", type=existing_file, help="YAML file: train its runs, then fit them"
    )
    parser.add_argument("--plan", action="store_true", help="print the runs; train nothing")
    parser.add_argument(
        "--points",
        type=existing_file,
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
    """Train what is not trained, fit the law to the runs, and print the verdict."""
    if (args.ladder is None) == (args.points is None):
        raise SettingsError("ladder: give the file of a ladder, or --points of finished runs")
    if args.farthest < 1:
        raise SettingsError(f"--farthest {args.farthest:g}: expected 1 or more")
    if args.ladder is None:
        _print_verdict(read_points(args.points, counted=args.counted), args)
        return 0
    plan = plan_ladder(load_ladder(args.ladder))
    if args.plan:
        _print_plan(plan)
        return 0
    from train.studies.execute import Executor  # torch starts only now

    found = climb(plan, Executor(plan.measure))
    for name, outcome in found.items():
        if not outcome.is_done:
            print(f"{name} failed: {outcome.why}")
    counted = COUNTED_WORDS[plan.settings.counted]
    _print_verdict(read_points(plan.folder / POINTS_NAME, counted=counted), args)
    return exit_code(found)


def _print_plan(plan: LadderPlan) -> None:
    flops = sum(run.flops for run in plan.runs)
    print(
        f"{len(plan.runs)} runs in {plan.folder}, {flops:.3g} operations; counted: "
        f"{COUNTED_WORDS[plan.settings.counted]}"
    )
    print(f"{'run':<28}{'parameters':>12}{'tokens':>14}{'steps':>9}{'peak rate':>12}")
    for run in plan.runs:
        rate = run.settings.schedule.peak_lr
        print(
            f"{run.name:<28}{plan.parameters[run.name]:>12,}{run.tokens:>14,}{run.sizes.steps:>9,}"
            f"{'published' if rate is None else f'{rate:.3g}':>12}"
        )


def _print_verdict(points: LadderPoints, args: argparse.Namespace) -> None:
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
