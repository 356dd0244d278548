"""A study before it starts: every run judged, sized and comparable, or refused with both sides named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from schemas.errors import SettingsError
from schemas.fingerprints import canonical_json
from train.optim.betas import half_life_beta2
from train.studies.arms import Arm, BaseRecipe, read_base, study_arms
from train.studies.budgets import check_equal, equal_tokens, flops_tokens
from train.studies.judging import judged_by
from train.studies.runs import StudyRun, make_run
from train.studies.settings import BASE, Changes, MeasureConfig, StudySettings

# Longer than any warm-up, while the tokens of the runs are not known.
_PROVISIONAL_TOKENS = 10**12
# What runs of one study may differ in besides their changes.
_OF_RUN = {"output", "seed", "stop"}


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """What a study will do.

    Attributes:
        arms: The reference first.
        runs: Every arm with the first seed, then every arm with the second, ...: a study that is stopped has
            whole rows of pairs.
        measure: With the manifest whose held-out split all runs are judged on.
    """

    study: StudySettings
    base: BaseRecipe
    arms: tuple[Arm, ...]
    runs: tuple[StudyRun, ...]
    measure: MeasureConfig

    @property
    def folder(self) -> Path:
        return Path(self.study.output)

    @property
    def reference(self) -> Arm:
        """The arm that all others are held against."""
        return self.arms[0]


def plan_study(study: StudySettings, *, tokens: int | None = None) -> StudyPlan:
    """Plan a study of arms; nothing is written and nothing trained.

    Args:
        study: The settings.
        tokens: Packed tokens of each run, where the budget is one of CPU hours.

    Raises:
        SettingsError: With the reason why the study could not decide anything.
        ContractError: A manifest cannot be read.
    """
    assert study.search is None, "search.py plans searches"
    base, arms = read_base(study), study_arms(study)
    firsts = first_runs(study, base, arms)
    measure = judged_by(study.measure, firsts)
    sized = sized_arms(study, firsts, tokens)
    runs = [
        study_run(study, base, arm, seed=seed, tokens=sized[arm.name])
        for seed in study.seeds
        for arm in arms
    ]
    check_equal(runs, study.budget)
    return StudyPlan(study=study, base=base, arms=tuple(arms), runs=tuple(runs), measure=measure)


def plan_of_base(
    study: StudySettings, base: BaseRecipe, tokens: int, measure: MeasureConfig
) -> StudyPlan:
    """The base recipe alone with every seed, as a study whose pilots say cost and noise."""
    arm = Arm(name=BASE, changes={})
    runs = [study_run(study, base, arm, seed=seed, tokens=tokens) for seed in study.seeds]
    return StudyPlan(study=study, base=base, arms=(arm,), runs=tuple(runs), measure=measure)


def first_runs(study: StudySettings, base: BaseRecipe, arms: Sequence[Arm]) -> dict[str, StudyRun]:
    """Each arm with the first seed: whether it can run, and on how many tokens a step.

    Raises:
        SettingsError: An arm is no recipe, changes nothing, or is the same recipe as another one.
    """
    provisional = study.budget.tokens or _PROVISIONAL_TOKENS
    firsts: dict[str, StudyRun] = {}
    recipes: dict[bytes, str] = {}
    for arm in arms:
        run = study_run(study, base, arm, seed=study.seeds[0], tokens=provisional)
        recipe = canonical_json(comparable(run))
        if recipe in recipes:
            other = recipes[recipe]
            raise SettingsError(
                f"arms '{other}' and '{arm.name}' are the same recipe: {_in_words(arm)} changes nothing; leave it out"
            )
        recipes[recipe] = arm.name
        firsts[arm.name] = run
    return firsts


def _in_words(arm: Arm) -> str:
    return ", ".join(f"{key} {value!r}" for key, value in arm.changes.items()) or "no change"


def comparable(run: StudyRun) -> dict[str, Any]:
    """The recipe of a run without what a study sets for each, the model with all of its fields."""
    recipe = run.settings.model_dump(mode="json", exclude=_OF_RUN)
    return recipe | {"model": run.phases[-1].facts.model.model_dump(mode="json")}


def study_run(
    study: StudySettings,
    base: BaseRecipe,
    arm: Arm,
    *,
    seed: int,
    tokens: int,
    name: str | None = None,
) -> StudyRun:
    """A run of an arm, Adam's memory in tokens set where the study says it.

    Raises:
        SettingsError: The arm is no recipe that can run.
    """
    folder = Path(study.output)
    run = make_run(base, arm, seed=seed, tokens=tokens, folder=folder, name=name)
    half_life = study.beta2_half_life_tokens
    if half_life is None:
        return run
    betas = run.settings.optimizer.betas or (0.9, 0.95)
    beta2 = half_life_beta2(half_life, run.sizes.step_tokens)
    changes: Changes = {**arm.changes, "optimizer.betas": [betas[0], beta2]}
    return make_run(
        base, replace(arm, changes=changes), seed=seed, tokens=tokens, folder=folder, name=run.name
    )


def sized_arms(
    study: StudySettings, firsts: dict[str, StudyRun], tokens: int | None
) -> dict[str, int]:
    """The packed tokens of a run of each arm.

    Raises:
        SettingsError: The budget is less than a batch, or batches have no common multiple near it.
    """
    if study.budget.flops is not None:
        return {
            name: flops_tokens(study.budget.flops, run.sizes, name) for name, run in firsts.items()
        }
    budget = study.budget.tokens or tokens or _PROVISIONAL_TOKENS  # CPU hours, before the pilot
    step_tokens = {name: run.sizes.step_tokens for name, run in firsts.items()}
    return dict.fromkeys(firsts, equal_tokens(budget, step_tokens))
