"""Annealing probes: cool-downs of one trunk that differ in their data alone, judged in pairs (Ultra-FineWeb, OLMo's microanneals)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import ContractError, SettingsError
from train.data.config import DataSpan
from train.data.loader import shard_files
from train.data.remote import open_manifest
from train.settings import TrainSettings
from train.studies.arms import Arm, BaseRecipe
from train.studies.judging import judged_by
from train.studies.plan import StudyPlan
from train.studies.runs import RUNS_NAME, StudyRun, judge_arm, plan_of, sizes_of
from train.studies.settings import BASE, Budget, MeasureConfig, StudySettings

# The settings of a run's branch: its folder, and what it does otherwise.
MakeSettings = Callable[[Path, list[str]], TrainSettings]
# An identical candidate is told apart by chance in 2 of 100 probes.
LEVEL = 0.98


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What a probe compares.

    Attributes:
        trunk: Folder of the run.
        step: Its step from which all cool-downs begin.
        candidates: Manifests, each read in a cool-down instead of the trunk's own.
        seeds: Orders of the rows, the same for all candidates.
        output: Folder of the probe.
        overrides: What makes a branch of the trunk a cool-down.
        level: Of the intervals.
    """

    trunk: Path
    step: int
    candidates: tuple[str, ...]
    seeds: tuple[int, ...]
    output: Path
    overrides: tuple[str, ...]
    measure: MeasureConfig = field(default_factory=MeasureConfig)
    level: float = LEVEL


def plan_probe(probe: Probe, make_settings: MakeSettings) -> StudyPlan:
    """Plan the cool-downs; nothing is written and nothing trained. The trunk's own data is the reference.

    Raises:
        SettingsError: Fewer than two seeds, a candidate twice, or a branch that cannot run.
        ContractError: A manifest cannot be read, or does not fit the trunk's.
    """
    if len(set(probe.seeds)) < max(2, len(probe.seeds)):
        raise SettingsError(f"--seeds: expected two or more that differ, got {list(probe.seeds)}")
    named = _names(probe.candidates)
    trunk = make_settings(probe.output / RUNS_NAME / "trunk", [*probe.overrides])
    judged = judge_arm(trunk, "the trunk")
    if len(judged) > 1:
        raise SettingsError(f"{probe.trunk}: has phases; probe a run of the last one")
    at_tokens = plan_of(judged[0]).trained_samples(probe.step) * plan_of(judged[0]).seq_len
    read = _read_before(trunk.spans, at_tokens)
    arms = [Arm(name=BASE, changes={})]
    arms += [Arm(name=name, changes={"data": path}) for name, path in named.items()]
    runs = []
    for seed in probe.seeds:
        for arm in arms:
            last = trunk.spans[-1].manifest if arm.name == BASE else named[arm.name]
            spans = [*read, {"manifest": last, "until_tokens": None, "seed": seed}]
            runs.append(_run(probe, make_settings, arm, seed, spans))
    _refuse_unlike(runs)
    return StudyPlan(
        study=StudySettings(
            question=f"Which data pays in the cool-down of {probe.trunk.name} from step {probe.step:,}?",
            recipe=str(probe.trunk / "settings.yaml"),
            output=str(probe.output),
            seeds=probe.seeds,
            budget=Budget(tokens=runs[0].sizes.tokens),
            measure=probe.measure,
            pilot=None,
            arms={arm.name: arm.changes for arm in arms[1:]},
            level=probe.level,
        ),
        base=BaseRecipe(path=probe.trunk / "settings.yaml", data=trunk.model_dump(mode="json")),
        arms=tuple(arms),
        runs=tuple(runs),
        measure=judged_by(probe.measure, {run.arm: run for run in runs}),
    )


def _names(candidates: Sequence[str]) -> dict[str, str]:
    """Short names of the manifests' folders, longer where two would be one."""
    named: dict[str, str] = {}
    for path in candidates:
        parts = [one for one in Path(path).parts if one not in ("manifest.json", "/")]
        name = next(
            (
                "-".join(parts[-length:])
                for length in range(1, len(parts) + 1)
                if "-".join(parts[-length:]) not in {BASE, *named}
            ),
            None,
        )
        if name is None or path in named.values():
            raise SettingsError(f"--candidates: {path} is named twice, or has no name of its own")
        named[name] = path
    return named


def _read_before(spans: Sequence[DataSpan], tokens: int) -> list[dict[str, Any]]:
    """What the trunk has read up to a token, the last manifest cut there."""
    read: list[dict[str, Any]] = []
    for span in spans:
        end = tokens if span.until_tokens is None else min(span.until_tokens, tokens)
        read.append({"manifest": span.manifest, "until_tokens": end, "seed": span.seed})
        if end == tokens:
            break
    return read


def _run(
    probe: Probe, make_settings: MakeSettings, arm: Arm, seed: int, spans: list[dict[str, Any]]
) -> StudyRun:
    name = f"{arm.slug}-seed-{seed}"
    data = f"data={json.dumps(spans, ensure_ascii=False)}"
    settings = make_settings(probe.output / RUNS_NAME / name, [*probe.overrides, data])
    phases = tuple(judge_arm(settings, arm.name))
    return StudyRun(
        name=name, arm=arm.name, seed=seed, settings=settings, phases=phases, sizes=sizes_of(phases)
    )  # fmt: skip


def _refuse_unlike(runs: Sequence[StudyRun]) -> None:
    """Open each candidate beside the trunk's manifest: what a cool-down would refuse is refused now.

    Raises:
        ContractError: Another tokenizer, length of rows or columns; both sides are named.
    """
    for run in runs:
        first, *others = [
            open_manifest(shard_files(span.manifest, run.settings.loader))
            for span in run.settings.spans
        ]
        for span, other in zip(run.settings.spans[1:], others, strict=True):
            for what, here, there in (
                ("tokenizer", other.tokenizer.sha256, first.tokenizer.sha256),
                ("seq_len", other.seq_len, first.seq_len),
            ):
                if here != there:
                    raise ContractError(
                        f"{span.manifest}: its {what} is {here}, that of the trunk's data {there}"
                    )
