"""Run a search from its pilots to its verdict: trials, importance of the settings, the best one beside the recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import SettingsError
from schemas.plain_json import json_text
from train.checkpoint.durable import replace_text
from train.studies.claims import held
from train.studies.folder import QUEUE_NAME, enter
from train.studies.found import RESULT_NAME
from train.studies.found_search import FOUND, FoundSearch, Trial, search_dict
from train.studies.importance import importance
from train.studies.journal import HOW, JOURNAL_NAME, WHY, Ledger, open_ledger
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
from train.studies.search_page import write_search_page
from train.studies.settings import StudySettings
from train.studies.study import MakeExecutor, read_study, run_study
from train.studies.work import work_through

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

CONFIRMATION_NAME = "confirmation"
_STATES = {"COMPLETE": "done", "PRUNED": "given up", "FAIL": "failed", "RUNNING": "not done"}


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
    wanted = _confirmation(plan, searched.best)
    if isinstance(wanted, str):
        searched = replace(searched, remark=wanted)
    else:
        say(f"the best trial beside the recipe, with seeds {list(wanted.seeds)}")
        confirmed = run_study(wanted, make_executor, say=lambda text: None)
        searched = replace(searched, confirmation=confirmed)
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


def _confirmation(plan: SearchPlan, best: Trial | None) -> StudySettings | str:
    """The study of the best trial beside the recipe, with seeds that no trial had; else why there is none."""
    seeds = plan.config.confirm
    if best is None or seeds is None:
        return "not confirmed with other seeds"
    changes = found_changes(plan, best.settings)
    if plan.is_recipe(changes):
        return "these are the recipe's own values"
    first = max(plan.study.seeds) + 1
    settings = {
        "search": None,
        "arms": {FOUND: changes},
        "seeds": tuple(range(first, first + seeds)),
        "budget": plan.study.budget.model_copy(update={"tokens": plan.tokens}),
        "pilot": None,
        "output": str(plan.folder / CONFIRMATION_NAME),
    }
    return plan.study.model_copy(update=settings)


def show_search(study: StudySettings) -> FoundSearch:
    """The search as far as it is, with its page; trains nothing.

    Raises:
        SettingsError: It has not begun.
    """
    plan = plan_search(study)
    if not (plan.folder / JOURNAL_NAME).is_file():
        raise SettingsError(f"{plan.folder}: no search has begun there; run it without --show")
    found = read_search(plan, None)
    wanted = _confirmation(plan, found.best)
    if isinstance(wanted, str):
        found = replace(found, remark=wanted)
    elif Path(wanted.output).is_dir():
        found = replace(found, confirmation=read_study(wanted))
    else:
        found = replace(found, remark="not confirmed with other seeds yet")
    publish(found)
    return found


def publish(found: FoundSearch) -> None:
    """Write `study.json` and the page."""
    folder = found.plan.folder
    with held(folder / QUEUE_NAME, "page"):
        replace_text(folder / RESULT_NAME, json_text(search_dict(found), indent=1) + "\n")
        write_search_page(found)
