"""`train swap RUN --at next|STEP --set ...`: change a run that goes on, at the border of a step."""

from __future__ import annotations

import argparse
from pathlib import Path

from schemas.errors import ContractError, SettingsError
from schemas.settings import parse_settings
from schemas.yaml_files import read_yaml
from train.aliases import translate_recipe
from train.checkpoint.pointer import CHECKPOINTS_NAME, latest_checkpoint
from train.checkpoint.state_file import read_state
from train.commands.arguments import existing_folder, not_negative
from train.loop.swap_settings import BLEND_STEPS, FRESH_WARMUP_STEPS, Moment, with_swap
from train.loop.swaps import Swap, run_of, write_request
from train.report.events import EVENTS_NAME, read_events
from train.settings import TrainSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=existing_folder, metavar="RUN", help="output folder of a run")
    parser.add_argument(
        "--at", default="next", metavar="next|STEP", help="the step from which it holds"
    )
    parser.add_argument(
        "--set", dest="overrides", action="append", required=True, metavar="KEY=VALUE",
        help="a setting of schedule or optimizer, model.dropout, model.activation, batch.sequences, or manifest; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--rewarm",
        type=not_negative,
        help=f"steps in which the rate climbs again; by default {FRESH_WARMUP_STEPS} for another optimizer, else 0",
    )
    parser.add_argument(
        "--blend",
        type=not_negative,
        help=f"steps in which a new activation takes over from the old one; default {BLEND_STEPS}",
    )


def run(args: argparse.Namespace) -> int:
    """Write the request; the run takes it up after its next step."""
    if args.at != "next" and not args.at.isdigit():
        raise SettingsError(f"--at {args.at}: expected next or the number of a step")
    path = args.run / EVENTS_NAME
    events = read_events(path) if path.is_file() else []
    if not events:
        raise ContractError(f"{args.run}: no run has begun there")
    print(write_request(args.run, checked_swap(args, run_of(events))))
    return 0


def checked_swap(args: argparse.Namespace, run: str) -> Swap:
    """The swap that the arguments ask for, if the run could make it.

    Raises:
        SettingsError: It could not.
    """
    file: Path = args.run / "settings.yaml"
    data, _ = translate_recipe(read_yaml(file), [])
    before = parse_settings(TrainSettings, data, where=str(file))
    at = None if args.at == "next" else int(args.at)
    is_blended = any(one.startswith("model.activation=") for one in args.overrides)
    if args.blend is not None and not is_blended:
        raise SettingsError("--blend: only a new model.activation is blended")
    blend = (BLEND_STEPS if args.blend is None else args.blend) if is_blended else 0
    moment = Moment(
        step=max(at or 1, 1),
        tokens=1,
        activation=_activation(args.run),
        total_steps=before.stop.steps,
    )
    after = with_swap(before, args.overrides, moment, blend_steps=blend)
    if at is not None and before.stop.steps is not None and at >= before.stop.steps:
        raise SettingsError(f"--at {at}: the run ends after {before.stop.steps} steps")
    rewarm = args.rewarm
    if rewarm is None:
        rewarm = FRESH_WARMUP_STEPS if after.optimizer.name != before.optimizer.name else 0
    return Swap(
        at=at,
        overrides=tuple(args.overrides),
        rewarm_steps=rewarm,
        run=run,
        blend_steps=blend,
    )


def _activation(run: Path) -> str | None:
    """The activation at the newest checkpoint of a run; None where it has none yet."""
    path = latest_checkpoint(run / CHECKPOINTS_NAME)
    if path is None:
        return None
    activation = read_state(path)["identity"]["model"].get("activation")
    return None if activation is None else str(activation)
