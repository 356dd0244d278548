"""Run a study of arms: pilots, then all runs with whoever else works on them, then the table and its page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from schemas.plain_json import json_text
from train.checkpoint.durable import replace_text
from train.studies.budgets import hours_tokens
from train.studies.claims import held
from train.studies.folder import QUEUE_NAME, enter, identity_of
from train.studies.outcome import Outcome
from train.studies.pilot import Forecast, forecast, pilot_runs, pilots_folder, seconds_per_flop
from train.studies.plan import StudyPlan, plan_study
from train.studies.settings import MeasureConfig, StudySettings
from train.studies.verdicts import ArmRow, StudyTable, study_table
from train.studies.work import Execute, outcomes_of, work_through

logger = logging.getLogger(__name__)

RESULT_NAME = "study.json"
# Makes what trains and measures a run: train/studies/execute.py, or a stand-in.
MakeExecutor = Callable[[MeasureConfig], Execute]


@dataclass(frozen=True, kw_only=True)
class FoundStudy:
    """A study as far as it is.

    Attributes:
        found: Outcomes by name of the run.
        forecast: What the pilots said; None without pilots.
    """

    plan: StudyPlan
    table: StudyTable
    found: Mapping[str, Outcome]
    forecast: Forecast | None


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


def read_study(study: StudySettings) -> FoundStudy:
    """The study as far as its runs have outcomes; trains nothing."""
    plan = plan_study(study)
    pilots = pilot_runs(plan)
    known = outcomes_of(pilots, pilots_folder(plan))
    told = forecast(plan, pilots, known) if pilots and len(known) == len(pilots) else None
    return _publish(plan, outcomes_of(plan.runs, plan.folder), told)


def _with_pilots(plan: StudyPlan, execute: Execute) -> tuple[StudyPlan, Forecast | None]:
    pilots = pilot_runs(plan)
    if not pilots:
        return plan, None
    found = work_through(pilots, pilots_folder(plan), execute)
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
    return study


def as_dict(study: FoundStudy) -> dict[str, Any]:
    """The study as JSON: `table` is a function of the runs alone, `costs` depends on the machines."""
    table, plan = study.table, study.plan
    return {
        "question": plan.study.question,
        "verdict": table.sentence,
        "recipe": str(plan.base.path),
        "measure": plan.measure.model_dump(mode="json"),
        "deviation": table.deviation,
        "freedom": table.freedom,
        "table": [_row(plan, row) for row in table.rows],
        "costs": [{"run": name, **asdict(one.costs)} for name, one in sorted(study.found.items())],
        "forecast": None if study.forecast is None else asdict(study.forecast),
    }


def _row(plan: StudyPlan, row: ArmRow) -> dict[str, Any]:
    changes = next(arm.changes for arm in plan.arms if arm.name == row.arm)
    return {
        "arm": row.arm,
        "changes": changes,
        "verdict": row.verdict,
        "value": row.value,
        "by_seed": {str(seed): value for seed, value in sorted(row.by_seed.items())},
        "difference": _ends(row.difference),
        "p_value": row.p_value,
        "adjusted": row.adjusted,
        "smallest": row.smallest,
        "documents": _ends(row.documents),
        "sizes": asdict(row.sizes),
        "failures": dict(row.failures or {}),
        "notes": list(row.notes),
    }


def _ends(estimate: Any) -> list[float] | None:
    return None if estimate is None else [estimate.value, estimate.low, estimate.high]


def rerun_command(folder: Path) -> str:
    """The command that trains a run again, into a folder of its own."""
    return f"python -m train pretrain --recipe {folder}/recipe.yaml --set output={folder}-again"
