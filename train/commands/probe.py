"""`train probe --trunk RUN@STEP --candidates A B C`: the same cool-down on several datasets, and which of them pays."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from schemas.errors import SettingsError
from schemas.plain_json import json_text
from train.commands.arguments import positive
from train.commands.resume import branch_settings, cooldown, make_branch, share
from train.commands.study import print_table
from train.report.events import EVENTS_NAME
from train.settings import TrainSettings
from train.studies.found import FoundStudy
from train.studies.outcome import Outcome, exit_code
from train.studies.plan import StudyPlan
from train.studies.probe import LEVEL, Probe, plan_probe
from train.studies.runs import StudyRun
from train.studies.study import finish_plan
from train.studies.work import Execute


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trunk", type=trunk_step, required=True, metavar="RUN@STEP",
        help="a run at its peak rate, and one of its checkpoints",
    )  # fmt: skip
    parser.add_argument(
        "--candidates", nargs="+", required=True, metavar="MANIFEST",
        help="datasets, each read in a cool-down instead of the trunk's own",
    )  # fmt: skip
    parser.add_argument(
        "--cooldown", type=share, default=0.1, metavar="SHARE", help="of the steps so far; 0.1"
    )
    parser.add_argument("--seeds", type=positive, default=3, help="orders of the rows; 3")
    parser.add_argument("--level", type=share, default=LEVEL, help=f"of the intervals; {LEVEL}")
    parser.add_argument("--output", type=Path, help="folder; by default RUN-probe-STEP")
    parser.add_argument("--plan", action="store_true", help="print the runs; train nothing")


def trunk_step(text: str) -> tuple[Path, int]:
    """A folder of a run and a step, as `runs/trunk@5000`."""
    path, _, step = text.rpartition("@")
    if not (path and step.isascii() and step.isdigit() and Path(path).is_dir()):
        raise argparse.ArgumentTypeError(
            f"expected RUN@STEP with the folder of a run, got '{text}'"
        )
    return Path(path), int(step)


def run(args: argparse.Namespace) -> int:
    """Cool down on every candidate with every seed, and print who is better, how sure."""
    probe = _probe(args)
    plan = plan_probe(probe, lambda output, changes: _settings(probe.trunk, output, changes))
    if args.plan:
        for one in plan.runs:
            print(f"{one.name:<40}{one.sizes.steps - probe.step:>8,} steps from {probe.step:,}")
        return 0
    from train.studies.execute import Executor  # torch starts only now

    done = do_probe(probe, plan, Executor(plan.measure))
    print_table(done)
    print(plan.folder)
    return exit_code(done.found)


def _probe(args: argparse.Namespace) -> Probe:
    run_folder, step = args.trunk
    if not 0 < args.level < 1:
        raise SettingsError(f"--level {args.level:g}: expected a number between 0 and 1")
    return Probe(
        trunk=run_folder,
        step=step,
        candidates=tuple(args.candidates),
        seeds=tuple(range(1, args.seeds + 1)),
        output=args.output or run_folder.with_name(f"{run_folder.resolve().name}-probe-{step}"),
        overrides=(
            *cooldown(run_folder, step=step, share=args.cooldown),
            "evaluation=null",
            "checkpoint.keep_last=1",
            "checkpoint.export=false",
        ),
        level=args.level,
    )


def _settings(trunk: Path, output: Path, changes: list[str]) -> TrainSettings:
    settings, _ = branch_settings(trunk, output, changes)
    return settings


def do_probe(probe: Probe, plan: StudyPlan, execute: Execute) -> FoundStudy:
    """Do the runs that are not done, each from the trunk's checkpoint."""

    def from_trunk(run: StudyRun) -> Outcome:
        output = Path(run.settings.output)
        # The events are what a branch writes last: without them it was killed while it was made.
        if not (output / EVENTS_NAME).is_file():
            shutil.rmtree(output, ignore_errors=True)
            overrides = [*probe.overrides, f"data={_spans(run.settings)}"]
            make_branch(probe.trunk, output, step=probe.step, overrides=overrides)
        return execute(run)

    return finish_plan(plan, from_trunk)


def _spans(settings: TrainSettings) -> str:
    return json_text([span.model_dump(mode="json") for span in settings.spans])
