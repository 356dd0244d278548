"""`train resume RUN --at-step N`: a branch of a run, in a folder of its own; the run stays as it is."""

from __future__ import annotations

import argparse
import math
import os
import shutil
from pathlib import Path

from schemas.errors import ContractError, SettingsError
from schemas.settings import parse_settings
from schemas.yaml_files import dump_yaml, read_yaml
from train.aliases import translate_recipe
from train.checkpoint.config import CHANGEABLE
from train.checkpoint.pointer import CHECKPOINTS_NAME, LATEST_NAME, step_of, whole_checkpoints
from train.checkpoint.state_file import read_state, verify_checkpoint
from train.commands.arguments import existing_folder, not_negative
from train.loop.plan import RunPlan
from train.optim.config import COOLS_DOWN
from train.optim.peaks import ModelSize, with_peak
from train.optim.schedules import learning_rate, warmup_length
from train.recipe_facts import judge_recipe, ranks_of
from train.report.events import EVENTS_NAME, EventLog
from train.settings import TrainSettings, differing

_SETTINGS_NAME = "settings.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=existing_folder, metavar="RUN", help="output folder of a run")
    parser.add_argument("--at-step", type=not_negative, required=True, help="a checkpoint's step")
    parser.add_argument("--output", type=Path, help="folder of the branch; by default RUN-at-N")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE",
        help="what the branch does otherwise; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--cooldown",
        type=share,
        metavar="SHARE",
        help="let the rate fall to schedule.min_lr over this share of the steps so far, and end there; linearly, or with --set schedule.lr_scheduler_type=wsd_sqrt",
    )
    parser.add_argument(
        "--prepare-only",
        action="store_true",
        help="make the folder and leave the training to torchrun -m train pretrain",
    )


def run(args: argparse.Namespace) -> int:
    """Make the branch and train it."""
    if "RANK" in os.environ:
        raise SettingsError(
            "resume makes a folder, which one process does: --prepare-only first, then torchrun"
        )
    output = args.output or args.run.with_name(f"{args.run.resolve().name}-at-{args.at_step}")
    overrides = list(args.overrides)
    if args.cooldown is not None:
        overrides = [*cooldown(args.run, step=args.at_step, share=args.cooldown), *overrides]
    settings = make_branch(args.run, output, step=args.at_step, overrides=overrides)
    recipe = output / _SETTINGS_NAME
    print(recipe)
    if args.prepare_only:
        return 0
    from train.loop.run import pretrain  # torch starts only now

    return pretrain(settings)


def branch_settings(
    run: Path, output: Path, overrides: list[str]
) -> tuple[TrainSettings, list[str]]:
    """The settings of a branch, and a sentence for each that differs from the run's.

    Raises:
        SettingsError: A change cannot work.
    """
    stored = read_yaml(run / _SETTINGS_NAME)
    data, _ = translate_recipe(stored, [*overrides, f"output={output}"])
    settings = parse_settings(TrainSettings, data, where=f"{run / _SETTINGS_NAME} with --set")
    before = parse_settings(TrainSettings, stored, where=str(run / _SETTINGS_NAME))
    differences = differing(before.model_dump(mode="json"), settings.model_dump(mode="json"))
    changed = {key.split(".")[0] for key, _, _ in differences}
    accepted = sorted(changed.intersection(CHANGEABLE) | {*settings.checkpoint.accept_changes})
    keeps = settings.checkpoint.model_copy(update={"accept_changes": tuple(accepted)})
    sentences = [f"{key}: {old} -> {new}" for key, old, new in differences if key != "output"]
    return settings.model_copy(update={"checkpoint": keeps}), sentences


def share(text: str) -> float:
    """A number above 0, at most 1."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and at most 1, got '{text}'")
    return number


def cooldown(run: Path, *, step: int, share: float) -> list[str]:
    """The changes that make a branch the cool-down of a trunk: the rate falls from its peak, and the branch ends.

    Raises:
        SettingsError: The trunk's rate is not at its peak at that step, or the schedule is none that can branch.
    """
    path = run / _SETTINGS_NAME
    settings = parse_settings(TrainSettings, translate_recipe(read_yaml(path))[0], where=str(path))
    schedule = settings.schedule
    if schedule.plugin is not None or schedule.lr_scheduler_type not in ("constant", *COOLS_DOWN):
        raise SettingsError(
            f"{path}: --cooldown branches from a trunk at its peak rate, schedule constant, wsd or wsd_sqrt, not "
            f"{schedule.plugin or schedule.lr_scheduler_type}"
        )
    if step < 1:
        raise SettingsError("--at-step 0: there is no trunk to cool down yet")
    judged = judge_recipe(settings, ranks_of(settings))[-1]
    manifest = judged.facts.manifest
    if manifest is None:
        raise SettingsError(f"{settings.manifest}: no manifest to count the steps by")
    plan = RunPlan.of(manifest, settings.batch, settings.stop, first_sample=settings.first_sample)
    peak = with_peak(schedule, settings.optimizer, ModelSize.of(judged.facts.model))
    rate = learning_rate(plan.progress(step), peak)
    if not math.isclose(rate, peak.peak, rel_tol=1e-6):
        raise SettingsError(
            f"{run}: the rate at step {step:,} is {rate:.3g}, the trunk's peak {peak.peak:.3g}; a cool-down begins "
            "after the warm-up and before the trunk's own decay"
        )
    steps = max(1, round(step * share))
    form = schedule.lr_scheduler_type if schedule.lr_scheduler_type in COOLS_DOWN else "wsd"
    # What the trunk said in shares of its own length is behind it.
    warmup = warmup_length(
        schedule,
        plan.total_steps if schedule.unit == "steps" else plan.total_samples * plan.seq_len,
    )
    return [
        f"stop={{steps: {step + steps}}}",
        f"schedule.lr_scheduler_type={form}",
        f"schedule.decay_fraction={steps / (step + steps)!r}",
        f"schedule.warmup={warmup}",
    ]


def make_branch(run: Path, output: Path, *, step: int, overrides: list[str]) -> TrainSettings:
    """Copy a checkpoint into a new folder, with the run's events and its changed recipe.

    Raises:
        ContractError: The run has no whole checkpoint of that step.
        SettingsError: The folder is taken, or a change cannot work.
    """
    checkpoints = whole_checkpoints(run / CHECKPOINTS_NAME)
    chosen = next((path for path in checkpoints if step_of(path) == step), None)
    if chosen is None:
        kept = ", ".join(str(step_of(path)) for path in checkpoints) or "none"
        raise ContractError(f"{run}: no checkpoint of step {step}; there are: {kept}")
    if output.exists() and any(output.iterdir()):
        raise SettingsError(f"{output}: is not empty; give another --output")
    verify_checkpoint(chosen)
    settings, sentences = branch_settings(run, output, overrides)
    target = output / CHECKPOINTS_NAME / chosen.name
    shutil.copytree(chosen, target)
    (target.parent / LATEST_NAME).write_text(chosen.name, encoding="utf-8")
    (output / _SETTINGS_NAME).write_text(dump_yaml(settings.model_dump(mode="json")), "utf-8")
    log = EventLog(output / EVENTS_NAME)
    log.restore(read_state(chosen).get("events", []))
    log.append("branch", step=step, run=str(run), changes=sentences)
    EventLog(run / EVENTS_NAME).append("branched", step=step, branch=str(output), changes=sentences)
    return settings
