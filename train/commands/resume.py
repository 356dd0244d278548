"""`train resume RUN --at-step N`: a branch of a run, in a folder of its own; the run stays as it is."""

from __future__ import annotations

import argparse
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
    settings = make_branch(args.run, output, step=args.at_step, overrides=args.overrides)
    recipe = output / _SETTINGS_NAME
    print(recipe)
    if args.prepare_only:
        return 0
    from train.loop.run import pretrain  # torch starts only now

    return pretrain(settings)


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
    stored = read_yaml(run / _SETTINGS_NAME)
    data, _ = translate_recipe(stored, [*overrides, f"output={output}"])
    settings = parse_settings(TrainSettings, data, where=f"{run / _SETTINGS_NAME} with --set")
    before = parse_settings(TrainSettings, stored, where=str(run / _SETTINGS_NAME))
    differences = differing(before.model_dump(mode="json"), settings.model_dump(mode="json"))
    changed = {key.split(".")[0] for key, _, _ in differences}
    accepted = sorted(changed.intersection(CHANGEABLE) | {*settings.checkpoint.accept_changes})
    keeps = settings.checkpoint.model_copy(update={"accept_changes": tuple(accepted)})
    settings = settings.model_copy(update={"checkpoint": keeps})
    target = output / CHECKPOINTS_NAME / chosen.name
    shutil.copytree(chosen, target)
    (target.parent / LATEST_NAME).write_text(chosen.name, encoding="utf-8")
    (output / _SETTINGS_NAME).write_text(dump_yaml(settings.model_dump(mode="json")), "utf-8")
    sentences = [f"{key}: {old} -> {new}" for key, old, new in differences if key != "output"]
    log = EventLog(output / EVENTS_NAME)
    log.restore(read_state(chosen).get("events", []))
    log.append("branch", step=step, run=str(run), changes=sentences)
    EventLog(run / EVENTS_NAME).append("branched", step=step, branch=str(output), changes=sentences)
    return settings
