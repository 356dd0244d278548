"""Run a study of arms: pilots, then all runs with whoever else works on them, then the table and its page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from schemas.errors import SettingsError
from schemas.plain_json import json_text
from train.checkpoint.durable import replace_text
from train.studies.budgets import hours_tokens
from train.studies.claims import held
from train.studies.folder import IDENTITY_NAME, QUEUE_NAME, enter, identity_of
from train.studies.found import RESULT_NAME, FoundStudy, as_dict
from train.studies.outcome import Outcome
from train.studies.page import write_page
from train.studies.pilot import Forecast, forecast, pilot_runs, pilots_folder, seconds_per_flop
from train.studies.plan import StudyPlan, plan_study
from train.studies.runs import StudyRun
from train.studies.settings import MeasureConfig, StudySettings
from train.studies.verdicts import study_table
from train.studies.work import Execute, outcomes_of, work_through

logger = logging.getLogger(__name__)

# Makes what trains and measures a run: train/studies/execute.py, or a stand-in.
MakeExecutor = Callable[[MeasureConfig], Execute]


def run_study(
    study: StudySettings,
    make_executor: MakeExecutor,
    *,
    say: Callable[[str], object] = print,
) -> FoundStudy:
    """Do what is not done, together with other workers, and write `study.json` and the page.

    Args:
        study: The settings.
        make_executor: Makes what trains and measures a run.
        say: Is told what the study will cost and can find, before its first run.

    Raises:
        SettingsError: The study could not decide anything, or its folder is of another one.
        QualityGateError: The pilots of the base recipe are unstable.
    """
    plan = plan_study(study)
    enter(plan.folder, identity_of(plan))
    execute = make_executor(plan.measure)
    plan, told = _with_pilots(plan, execute)
    say(
        told.in_words()
        if told is not None
        else f"{len(plan.runs)} runs; no pilot, so neither cost nor noise is known"
    )
    found = work_through(plan.runs, plan.folder, execute)
    return _publish(plan, found, told)


def finish_plan(plan: StudyPlan, execute: Execute) -> FoundStudy:
    """Do the runs of a plan that was made otherwise than by settings, and write its table and page."""
    enter(plan.folder, identity_of(plan))
    return _publish(plan, work_through(plan.runs, plan.folder, execute), None)


def read_study(study: StudySettings) -> FoundStudy:
    """The study as far as its runs have outcomes, with its page; trains nothing.

    Raises:
        SettingsError: It has not begun, or the folder is of another study.
    """
    plan = plan_study(study)
    if not (plan.folder / IDENTITY_NAME).is_file():
        raise SettingsError(f"{plan.folder}: no study has begun there; run it without --show")
    enter(plan.folder, identity_of(plan))
    pilots = pilot_runs(plan)
    known = outcomes_of(pilots, pilots_folder(plan))
    told = None
    if pilots and len(known) == len(pilots):
        plan, told = _after_pilots(plan, pilots, known)
    return _publish(plan, outcomes_of(plan.runs, plan.folder), told)


def _with_pilots(plan: StudyPlan, execute: Execute) -> tuple[StudyPlan, Forecast | None]:
    pilots = pilot_runs(plan)
    if not pilots:
        return plan, None
    return _after_pilots(plan, pilots, work_through(pilots, pilots_folder(plan), execute))


def _after_pilots(
    plan: StudyPlan, pilots: Sequence[StudyRun], found: Mapping[str, Outcome]
) -> tuple[StudyPlan, Forecast]:
    """The plan with the tokens that CPU hours are worth, without arms that are unstable."""
    hours = plan.study.budget.cpu_hours
    if hours is not None:
        of_reference = [run for run in pilots if run.arm == plan.reference.name]
        speed, _ = seconds_per_flop(of_reference, found)
        tokens = hours_tokens(hours, speed, [run.sizes for run in plan.runs])
        plan = plan_study(plan.study, tokens=tokens)
    told = forecast(plan, pilots, found)
    return without(plan, told.unstable), told


def without(plan: StudyPlan, names: Mapping[str, str]) -> StudyPlan:
    """The plan without some arms."""
    return replace(
        plan,
        arms=tuple(arm for arm in plan.arms if arm.name not in names),
        runs=tuple(run for run in plan.runs if run.arm not in names),
    )


def _publish(plan: StudyPlan, found: Mapping[str, Outcome], told: Forecast | None) -> FoundStudy:
    study = FoundStudy(plan=plan, table=study_table(plan, found), found=found, forecast=told)
    with held(plan.folder / QUEUE_NAME, "page"):
        replace_text(plan.folder / RESULT_NAME, json_text(as_dict(study), indent=1) + "\n")
        write_page(study)
    return study
