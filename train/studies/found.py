"""What a study of arms has found so far, and its form as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from train.statistics.intervals import Estimate
from train.studies.outcome import Outcome
from train.studies.pilot import Forecast
from train.studies.plan import StudyPlan
from train.studies.verdicts import ArmRow, StudyTable

RESULT_NAME = "study.json"


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


def _ends(estimate: Estimate | None) -> list[float] | None:
    return None if estimate is None else [estimate.value, estimate.low, estimate.high]
