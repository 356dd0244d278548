"""Run a search from its pilots to its verdict: trials, importance of the settings, the best one beside the recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from schemas.plain_json import json_text
from train.checkpoint.durable import replace_text
from train.studies.claims import held
from train.studies.folder import QUEUE_NAME, enter
from train.studies.importance import importance
from train.studies.journal import HOW, WHY, Ledger, open_ledger
from train.studies.pilot import Forecast, forecast, pilot_runs, pilots_folder
from train.studies.promotion import rung_steps
from train.studies.sampling import best_trial
from train.studies.search import (
    SearchPlan,
    found_changes,
    plan_search,
    search_identity,
    search_through,
)
from train.studies.settings import Changes, StudySettings
from train.studies.study import RESULT_NAME, FoundStudy, MakeExecutor, as_dict, run_study
from train.studies.work import work_through

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

CONFIRMATION_NAME, FOUND = "confirmation", "found"
_STATES = {"COMPLETE": "done", "PRUNED": "given up", "FAIL": "failed", "RUNNING": "not done"}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial as a row.

    Attributes:
        how: How its settings were chosen: `sampled`, or the law of a start value.
        rungs: The measure at each rung that it reached.
        value: At its end; None where it has none.
        tokens: Packed tokens that it has read, over all seeds.
        restarted_tokens: What it would have read if each rung began anew.
        why: Why it was given up or failed.
    """

    number: int
    how: str
    settings: Changes
    state: str
    rungs: Mapping[int, float]
    value: float | None
    tokens: int
    restarted_tokens: int
    why: str | None


@dataclass(frozen=True, kw_only=True)
class FoundSearch:
    """A search as far as it is.

    Attributes:
        best: The best trial that came to its end; None where none did.
        importance: Share of each setting in the spread of the trials' measure.
        confirmation: The best trial beside the recipe with other seeds; None where there is none.
        remark: Why there is no confirmation.
    """

    plan: SearchPlan
    trials: tuple[Trial, ...]
    best: Trial | None
    importance: Mapping[str, float]
    forecast: Forecast | None
    confirmation: FoundStudy | None = None
    remark: str = ""

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.best is None:
            return "Nothing was found: no trial came to its end."
        settings = ", ".join(f"{key} {_shown(value)}" for key, value in self.best.settings.items())
        found = f"best of {len(self.trials)} trials: {settings} (trial {self.best.number}, {self.best.value:.4f})"
        if self.confirmation is None:
            return f"{found}; {self.remark}."
        return f"{found}; with other seeds {FOUND} is {self.confirmation.table.sentence}"


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json_text(value)


def run_search(
    study: StudySettings, make_executor: MakeExecutor, *, say: Callable[[str], object] = print
) -> FoundSearch:
    """Do what is not done of a search, together with other workers, and write `study.json`.

    Args:
        study: The settings.
        make_executor: Makes what trains and measures a run.
        say: Is told what the search will cost, before its first trial.

    Raises:
        SettingsError: The search could not find anything, or its folder is of another study.
        QualityGateError: The pilots of the base recipe are unstable.
    """
    plan = plan_search(study)
    enter(plan.folder, search_identity(plan))
    execute = make_executor(plan.measure)
    told = None
    pilots = pilot_runs(plan.pilots)
    if pilots:
        found = work_through(pilots, pilots_folder(plan.pilots), execute)
        told = forecast(plan.pilots, pilots, found)
        plan = replace(plan, deviation=told.deviation)
    say(_in_words(plan, told))
    search_through(plan, execute)
    searched = read_search(plan, told)
    confirmed, remark = _confirm(plan, searched.best, make_executor, say)
    searched = replace(searched, confirmation=confirmed, remark=remark)
    publish(searched)
    return searched


def _in_words(plan: SearchPlan, told: Forecast | None) -> str:
    config = plan.config
    runs = config.trials * len(plan.study.seeds)
    line = f"{config.trials} trials by {config.sampler}, {plan.tokens:,} tokens for one that goes to its end"
    if config.pruning is not None:
        line += f", {plan.rungs} rungs"
    if told is None:
        return f"{line}; no pilot, so neither cost nor noise is known"
    hours = told.cpu_hours / told.runs * runs
    return (
        f"{line}: {hours:.3g} CPU hours at most\nseeds differ by {told.deviation:.4g} (standard deviation): trials "
        "that are nearer to each other are not told apart by one run"
    )


def read_search(plan: SearchPlan, told: Forecast | None) -> FoundSearch:
    """The search as far as its ledger has it."""
    with open_ledger(plan.folder, plan.config) as ledger:
        trials = ledger.trials()
        rows = tuple(_row(plan, ledger, one) for one in trials)
        best = best_trial(trials)
        shares = importance(trials)
    return FoundSearch(
        plan=plan,
        trials=rows,
        best=None if best is None else rows[best.number],
        importance=shares,
        forecast=told,
    )


def _row(plan: SearchPlan, ledger: Ledger, trial: FrozenTrial) -> Trial:
    reached = sorted(trial.intermediate_values)
    values = ledger.values(trial)
    tokens = restarted = 0
    if reached:
        runs = plan.runs(trial.number, values, reached[-1])
        tokens = sum(run.tokens for run in runs)
        steps = [rung_steps(run.sizes.steps, plan.config.pruning) for run in runs]
        restarted = sum(
            replace(run, until_step=own[rung]).tokens
            for run, own in zip(runs, steps, strict=True)
            for rung in reached
        )
    return Trial(
        number=trial.number,
        how=str(trial.user_attrs[HOW]),
        settings=values,
        state=_STATES[trial.state.name],
        rungs={rung: plan.sign * trial.intermediate_values[rung] for rung in reached},
        value=None if trial.value is None else plan.sign * trial.value,
        tokens=tokens,
        restarted_tokens=restarted,
        why=trial.user_attrs.get(WHY),
    )


def _confirm(
    plan: SearchPlan, best: Trial | None, make_executor: MakeExecutor, say: Callable[[str], object]
) -> tuple[FoundStudy | None, str]:
    """The best trial beside the recipe, with seeds that no trial had; else why not."""
    seeds = plan.config.confirm
    if best is None or seeds is None:
        return None, "not confirmed with other seeds"
    changes = found_changes(plan, best.settings)
    if plan.is_recipe(changes):
        return None, "these are the recipe's own values"
    say(f"the best trial and the recipe, {seeds} other seeds each")
    first = max(plan.study.seeds) + 1
    settings = {
        "search": None,
        "arms": {FOUND: changes},
        "seeds": tuple(range(first, first + seeds)),
        "budget": plan.study.budget.model_copy(update={"tokens": plan.tokens}),
        "pilot": None,
        "output": str(plan.folder / CONFIRMATION_NAME),
    }
    study = plan.study.model_copy(update=settings)
    return run_study(study, make_executor, say=lambda text: None), ""


def publish(found: FoundSearch) -> None:
    """Write `study.json` and the page."""
    folder = found.plan.folder
    with held(folder / QUEUE_NAME, "page"):
        replace_text(folder / RESULT_NAME, json_text(search_dict(found), indent=1) + "\n")


def search_dict(found: FoundSearch) -> dict[str, Any]:
    """The search as JSON: `table` is a function of the runs alone."""
    confirmed = found.confirmation
    return {
        "question": found.plan.study.question,
        "verdict": found.sentence,
        "recipe": str(found.plan.base.path),
        "measure": found.plan.measure.model_dump(mode="json"),
        "table": [
            {
                "trial": one.number,
                "how": one.how,
                "settings": one.settings,
                "state": one.state,
                "rungs": {str(rung): value for rung, value in one.rungs.items()},
                "value": one.value,
                "tokens": one.tokens,
                "why": one.why,
            }
            for one in found.trials
        ],
        "importance": dict(found.importance),
        "tokens": sum(one.tokens for one in found.trials),
        "restarted_tokens": sum(one.restarted_tokens for one in found.trials),
        "confirmation": None if confirmed is None else as_dict(confirmed),
    }
