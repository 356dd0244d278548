"""`train simulate-policies CURVE.jsonl ...`: which detectors would have told of what, without training."""

from __future__ import annotations

import argparse
from pathlib import Path

from schemas.errors import ContractError, SettingsError
from schemas.plain_json import json_text
from train.commands.arguments import existing_file, positive
from train.report.run_files import read_metrics
from train.settings import load_train_settings
from train.stability.config import (
    DetectorConfig,
    LastingConfig,
    MadConfig,
    MaxOfFirstConfig,
    SigmaConfig,
    StabilityConfig,
)
from train.stability.monitor import Readings
from train.stability.policies import POLICIES
from train.stability.simulate import FIRST_SPIKE, Spike, recall, replay

# Replays of a table are as many as there are policies, sizes, lengths, curves and positions.
_MIN_STEPS = 2 * FIRST_SPIKE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "curves",
        nargs="+",
        type=existing_file,
        metavar="CURVE.jsonl",
        help="metrics.jsonl of a run, or lines with loss and grad_norm",
    )
    parser.add_argument(
        "--policy",
        action="append",
        default=[],
        help="a published policy, a single detector, or default; may be repeated; all without it",
    )
    parser.add_argument("--recipe", type=Path, help="its stability block is judged as well")
    parser.add_argument(
        "--spikes", type=positive, default=5, help="spikes of each kind that are put into a curve"
    )
    parser.add_argument(
        "--alarms", action="store_true", help="print each alarm instead of the table"
    )
    parser.add_argument("--json", action="store_true", help="print the table as JSON lines")


def run(args: argparse.Namespace) -> int:
    """Print false alarms of the curves as they are, and recall of spikes that are put in."""
    chosen = _chosen(args)
    curves = {path: read_curve(path) for path in args.curves}
    if args.alarms:
        for name, config in chosen.items():
            for path, curve in curves.items():
                for alarm in replay(config, curve):
                    reasons = list(alarm.reasons)
                    line = {"policy": name, "curve": str(path), "step": alarm.step}
                    print(json_text({**line, "found": alarm.kind, "reasons": reasons}))
        return 0
    short = [str(path) for path, curve in curves.items() if len(curve) < _MIN_STEPS]
    if short:
        raise ContractError(
            f"{short[0]}: fewer than {_MIN_STEPS} steps; spikes cannot be put in (--alarms judges it as it is)"
        )
    rows = [
        policy_row(name, config, list(curves.values()), args.spikes)
        for name, config in with_equal_detectors(chosen).items()
    ]
    print("\n".join(map(json_text, rows) if args.json else _table(rows)))
    return 0


def known_policies() -> dict[str, StabilityConfig]:
    """Single detectors, the default and every published policy, by name."""
    single: dict[str, DetectorConfig] = {
        "sigma loss, current included": SigmaConfig(signal="loss", includes_current=True),
        "sigma loss": SigmaConfig(signal="loss"),
        "sigma log norm, current included": SigmaConfig(includes_current=True),
        "sigma log norm": SigmaConfig(),
        "mad loss": MadConfig(),
        "max of first": MaxOfFirstConfig(),
        "lasting": LastingConfig(),
    }
    return {
        **{name: StabilityConfig(detectors=(one,)) for name, one in single.items()},
        "default": StabilityConfig(),
        **{name: StabilityConfig.model_validate({"policy": name}) for name in POLICIES},
    }


def with_equal_detectors(policies: dict[str, StabilityConfig]) -> dict[str, StabilityConfig]:
    """The policies with those that judge alike in one line: they differ by what they do."""
    names: dict[str, list[str]] = {}
    for name, config in policies.items():
        names.setdefault(str(config.detectors), []).append(name)
    return {", ".join(alike): policies[alike[0]] for alike in names.values()}


def read_curve(path: Path) -> list[Readings]:
    """The curve of a run.

    Raises:
        ContractError: A line has no loss or norm.
    """
    records = read_metrics(path)
    lacking = [
        number for number, one in enumerate(records, 1) if not {"loss", "grad_norm"} <= one.keys()
    ]
    if lacking:
        raise ContractError(f"{path}: line {lacking[0]}: expected the fields loss and grad_norm")
    return [Readings(loss=one["loss"], grad_norm=one["grad_norm"]) for one in records]


def policy_row(
    name: str, config: StabilityConfig, curves: list[list[Readings]], spikes: int
) -> dict[str, object]:
    """False alarms per 1,000 steps, and recall by signal, height and length."""
    alarms = sum(len(replay(config, curve)) for curve in curves)
    steps = sum(map(len, curves))
    row: dict[str, object] = {"policy": name, "alarms_per_1000": round(1000 * alarms / steps, 2)}
    for spike in SPIKES:
        key = f"{spike.signal} {spike.deviations:g} sd x {spike.length}"
        row[key] = round(recall(config, curves, spike, count=spikes), 2)
    return row


SPIKES = (
    *(Spike(deviations=height, length=1) for height in (8, 10, 15, 30)),
    *(Spike(deviations=height, length=4) for height in (8, 15)),
    *(Spike(deviations=height, length=1, signal="log_grad_norm") for height in (8, 15)),
)


def _chosen(args: argparse.Namespace) -> dict[str, StabilityConfig]:
    known = known_policies()
    unknown = [name for name in args.policy if name not in known]
    if unknown:
        raise SettingsError(f"--policy {unknown[0]}: unknown; known: {', '.join(known)}")
    chosen = {name: known[name] for name in args.policy or ([] if args.recipe else known)}
    if args.recipe is not None:
        settings = load_train_settings(args.recipe)
        if settings.stability is None:
            raise SettingsError(f"{args.recipe}: has no stability block")
        chosen[args.recipe.name] = settings.stability
    return chosen


def _table(rows: list[dict[str, object]]) -> list[str]:
    head = list(rows[0])
    lines = [[str(row[key]) for key in head] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [head, *lines]
    ]
