"""`train study STUDY`: runs that differ in named settings, and what they allow to say."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

from schemas.errors import PipelineError, SettingsError
from schemas.plain_json import json_text
from train.commands.arguments import existing_file
from train.studies.found import FoundStudy
from train.studies.found_search import FoundSearch
from train.studies.outcome import exit_code
from train.studies.page import PAGE_NAME
from train.studies.plan import StudyPlan, plan_study
from train.studies.search import SearchPlan, plan_search
from train.studies.search_study import run_search, show_search
from train.studies.settings import StudySettings, load_study
from train.studies.study import read_study, run_study
from train.studies.verdicts import ArmRow
from train.studies.work import forget_failures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=existing_file, help="YAML file of the study")
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--plan", action="store_true", help="check it and print its runs; train nothing"
    )
    action.add_argument(
        "--show", action="store_true", help="the table of what is done so far; train nothing"
    )
    action.add_argument(
        "--retry-failed", action="store_true", help="try runs again that failed before"
    )


def run(args: argparse.Namespace) -> int:
    """Work on a study until it is done, alone or beside other workers, and print its table."""
    if "RANK" in os.environ:
        raise SettingsError(
            "study: each worker is one process, which starts the ranks that its recipe lays out; run it without torchrun"
        )
    study = load_study(Path(args.study))
    if study.search is not None:
        return _search(study, args)
    if args.plan:
        _print_plan(plan_study(study))
        return 0
    if args.show:
        print_table(read_study(study))
        return 0
    plan = plan_study(study)  # what is refused costs no second of torch
    if args.retry_failed:
        print(f"again: {', '.join(forget_failures(plan.folder)) or 'no run failed'}")
    from train.studies.execute import Executor

    found = run_study(study, Executor)
    print_table(found)
    print(found.plan.folder / PAGE_NAME)
    return exit_code(found.found)


def _search(study: StudySettings, args: argparse.Namespace) -> int:
    if args.retry_failed:
        raise SettingsError("--retry-failed: a search goes around what failed; its trials stay")
    if args.plan:
        _print_search_plan(plan_search(study))
    elif args.show:
        _print_search(show_search(study))
    else:
        plan_search(study)  # what is refused costs no second of torch
        from train.studies.execute import Executor

        found = run_search(study, Executor)
        _print_search(found)
        print(found.plan.folder / PAGE_NAME)
        # A search goes around single trials that fail.
        if all(one.state == "failed" for one in found.trials):
            return PipelineError.exit_code
    return 0


def _print_search_plan(plan: SearchPlan) -> None:
    print(
        f"{plan.config.trials} trials in {plan.folder} by {plan.config.sampler}, seeds {list(plan.study.seeds)}, "
        f"{plan.tokens:,} tokens for one that goes to its end, {plan.rungs} rungs"
    )
    for name, values in plan.starts:
        print(f"{name:<14}{json_text(values)}")


def _print_search(found: FoundSearch) -> None:
    print(f"{'trial':<7}{'chosen':<13}{'state':<10}{found.plan.measure.figure:>14}  settings")
    for one in found.trials:
        last = one.rungs[max(one.rungs)] if one.rungs else math.nan
        print(
            f"{one.number:<7}{one.how:<13}{one.state:<10}{last:>14.4f}  {json_text(one.settings)}"
        )
    if found.confirmation is not None:
        print_table(found.confirmation)
    print(found.sentence)


def _print_plan(plan: StudyPlan) -> None:
    print(
        f"{len(plan.runs)} runs in {plan.folder}: {len(plan.arms)} arms, seeds {list(plan.study.seeds)}"
    )
    print(f"{'run':<40}{'parameters':>14}{'tokens':>14}{'steps':>10}{'operations':>13}")
    for one in plan.runs:
        sizes = one.sizes
        print(
            f"{one.name:<40}{sizes.parameters:>14,}{sizes.tokens:>14,}{sizes.steps:>10,}{sizes.flops:>13.3g}"
        )


def print_table(study: FoundStudy) -> None:
    """Print each arm with its difference from the reference, its interval and its verdict."""
    figure, level = study.plan.measure.figure, study.plan.study.level
    print(f"{'arm':<32}{figure:>14}{'difference':>12}{f'{level:.0%}':>24}{'finds':>9}  verdict")
    for row in study.table.rows:
        print(_line(row))
    print(study.table.sentence)


def _line(row: ArmRow) -> str:
    value = "" if math.isnan(row.value) else f"{row.value:.4f}"
    change = span = finds = ""
    if row.difference is not None:
        change = f"{row.difference.value:+.4f}"
        if math.isfinite(row.difference.low):
            span = f"{row.difference.low:+.4f} to {row.difference.high:+.4f}"
            finds = f"{row.smallest:.4f}"
    return f"{row.arm:<32}{value:>14}{change:>12}{span:>24}{finds:>9}  {row.verdict}"
