"""Pilots: what the study will cost, the smallest effect that it can find, and whether its settings are stable.

A pilot is the beginning of a run of the base recipe, with each of some seeds. Its spread over seeds is taken for that of the study's
runs: arms of other text or shape gain nothing from equal seeds (measured: sd .0129 paired, .0127 unpaired), so a
difference of two arms has twice the variance of a run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev

from schemas.errors import QualityGateError, SettingsError
from train.statistics.paired import detectable
from train.studies.arms import Arm
from train.studies.budgets import equal_tokens
from train.studies.outcome import Outcome
from train.studies.plan import StudyPlan, study_run
from train.studies.runs import StudyRun
from train.studies.settings import PilotConfig

PILOTS_NAME = "pilots"
_SHARE = 10


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is known of a study before its first run.

    Attributes:
        runs: Number of runs.
        cpu_hours: Of all of them together.
        hours: Of all of them one after the other, by the clock.
        deviation: Standard deviation of the measure over the pilot's seeds.
        smallest: The smallest true difference of two arms that is found four times of five.
        unstable: Why arms are left out, by name.
    """

    runs: int
    cpu_hours: float
    hours: float
    deviation: float
    smallest: float
    unstable: Mapping[str, str]

    def in_words(self) -> str:
        """One line for each thing that a reader wants to know before the first run."""
        return "\n".join(
            (
                f"{self.runs} runs, about {self.cpu_hours:.3g} CPU hours, {self.hours:.3g} hours with one worker",
                f"seeds differ by {self.deviation:.4g} (standard deviation): the smallest difference that is found "
                f"four times of five is {self.smallest:.4g}",
                *(f"left out, unstable: {name}: {why}" for name, why in self.unstable.items()),
            )
        )


def pilot_runs(plan: StudyPlan) -> list[StudyRun]:
    """The pilots of a study: the beginnings of its runs of the base recipe, or of all arms.

    The runs go on from them, so a pilot costs nothing. Where the length of the runs is not known yet, for the budget is
    one of CPU hours, they are short runs of their own.

    Raises:
        SettingsError: Their tokens are less than a batch, or the recipe wants several ranks.
    """
    config = plan.study.pilot
    if config is None:
        return []
    if plan.runs[0].ranks > 1:
        raise SettingsError(
            f"pilot: its runs stop within a worker, and the recipe lays out {plan.runs[0].ranks} ranks; set pilot: null"
        )
    arms = plan.arms if config.arms == "all" else (plan.reference,)
    seeds = _seeds(plan.study.seeds, config.seeds)
    make = _short_run if plan.study.budget.cpu_hours is not None else _beginning
    return [make(plan, arm, seed) for arm in arms for seed in seeds]


def _seeds(known: Sequence[int], count: int) -> list[int]:
    """The study's seeds, and further ones where a pilot has more."""
    further = range(max(known) + 1, max(known) + 1 + count)
    return [*known, *further][:count]


def pilots_folder(plan: StudyPlan) -> Path:
    """The folder of the pilots' outcomes."""
    return plan.folder / PILOTS_NAME


def _short_run(plan: StudyPlan, arm: Arm, seed: int) -> StudyRun:
    config = plan.study.pilot
    assert config is not None
    assert config.tokens is not None
    study = plan.study.model_copy(update={"output": str(pilots_folder(plan))})
    step_tokens = next(run.sizes.step_tokens for run in plan.runs if run.arm == arm.name)
    tokens = equal_tokens(config.tokens, {arm.name: step_tokens})
    return study_run(study, plan.base, arm, seed=seed, tokens=tokens)


def _beginning(plan: StudyPlan, arm: Arm, seed: int) -> StudyRun:
    """A run of the study until a tenth of its steps, or the pilot's tokens."""
    config = plan.study.pilot
    assert config is not None
    of_arm = [run for run in plan.runs if run.arm == arm.name]
    tokens = of_arm[0].settings.stop.tokens
    assert tokens is not None
    run = next((one for one in of_arm if one.seed == seed), None) or study_run(
        plan.study, plan.base, arm, seed=seed, tokens=tokens
    )
    steps = run.sizes.steps
    wanted = steps / _SHARE if config.tokens is None else config.tokens / run.sizes.step_tokens
    until = max(math.ceil(wanted), 1)
    return replace(run, until_step=until if until < steps else None)


def forecast(plan: StudyPlan, pilots: Sequence[StudyRun], found: Mapping[str, Outcome]) -> Forecast:
    """What the pilots say of the study.

    Raises:
        QualityGateError: The reference is unstable: its runs failed, or differ by more than the bound over seeds.
    """
    config = plan.study.pilot
    assert config is not None, "there are pilots"
    unstable = {}
    for arm in {run.arm: None for run in pilots}:
        why = _instability([found[run.name] for run in pilots if run.arm == arm], config)
        if why is not None and arm == plan.reference.name:
            raise QualityGateError(
                f"{plan.study.recipe}: unstable in {config.seeds} pilots of {pilots[0].tokens:,} tokens: {why}; "
                "arms would flip by luck. Lower schedule.peak_lr, lengthen the warm-up, or clip "
                "gradients; pilot.most_deviation is the bound"
            )
        if why is not None:
            unstable[arm] = why
    of_reference = [run for run in pilots if run.arm == plan.reference.name]
    values = [found[run.name].value for run in of_reference]
    kept = [run for run in plan.runs if run.arm not in unstable]
    deviation = stdev(values)
    arms = len({run.arm for run in kept})
    seeds = len(plan.study.seeds)
    freedom = (arms - 1) * (seeds - 1)
    flops = sum(run.sizes.flops for run in kept)
    cpu, clock = seconds_per_flop(of_reference, found)
    return Forecast(
        runs=len(kept),
        cpu_hours=flops * cpu / 3600,
        hours=flops * clock / 3600,
        deviation=deviation,
        smallest=detectable(deviation * math.sqrt(2 / seeds), freedom + 1),
        unstable=unstable,
    )


def seconds_per_flop(runs: Sequence[StudyRun], found: Mapping[str, Outcome]) -> tuple[float, float]:
    """CPU seconds and seconds by the clock for an operation, by runs that came to their end."""
    flops = sum(run.flops for run in runs)
    costs = [found[run.name].costs for run in runs]
    clock = sum(one.seconds for one in costs)
    known = [one.cpu_seconds for one in costs if math.isfinite(one.cpu_seconds)]
    cpu = fmean(known) * len(runs) if known else clock
    return cpu / flops, clock / flops


def _instability(outcomes: Sequence[Outcome], config: PilotConfig) -> str | None:
    """Why the runs of one recipe are not to be trusted; None where they are."""
    failed = [one for one in outcomes if not one.is_done]
    if failed:
        return f"{failed[0].name} failed: {failed[0].why}"
    values = [one.value for one in outcomes]
    mean, deviation = fmean(values), stdev(values)
    if deviation > config.most_deviation * abs(mean):
        shown = ", ".join(f"{value:.4f}" for value in values)
        return (
            f"its seeds give {shown}, a deviation of {deviation / abs(mean):.1%} of the mean, above "
            f"{config.most_deviation:.1%}"
        )
    return None
