"""What a run is judged on: the study's manifest and objective, one seed for all, or a metric of a task."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.errors import SettingsError
from tests.support.studies import make_study
from train.studies.measure import read_task, request_of
from train.studies.plan import plan_study
from train.studies.settings import MeasureConfig


def test_all_runs_are_judged_by_one_objective_on_one_split(tmp_path: Path) -> None:
    plan = plan_study(make_study(tmp_path))
    run = plan.runs[3]

    own = request_of(run, plan.measure)
    common = request_of(
        run, MeasureConfig(manifest="held", objective={"name": "causal"}, max_rows=5)
    )

    assert (own.manifest, own.objective.name, own.seed) == (str(tmp_path / "data"), "causal", 0)
    assert (common.manifest, common.max_rows) == ("held", 5)


def test_a_metric_of_a_task_is_read_at_the_end_of_the_run(tmp_path: Path) -> None:
    plan = plan_study(make_study(tmp_path))
    run = replace(
        plan.runs[0],
        settings=plan.runs[0].settings.model_copy(update={"output": str(tmp_path)}),
    )

    def measure(figure: str) -> MeasureConfig:
        return MeasureConfig(figure=figure)

    with pytest.raises(SettingsError, match="has no task arc"):
        read_task(run, measure("arc/acc"))
    lines = [
        {"step": step, "tasks": [{"name": "arc", "metrics": {"acc": {"value": value}}}]}
        for step, value in ((2, 0.2), (4, 0.4))
    ]
    (tmp_path / "tasks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert read_task(run, measure("arc/acc")) == 0.4
    with pytest.raises(SettingsError, match="did you mean 'acc'"):
        read_task(run, measure("arc/ac"))
    (tmp_path / "tasks.jsonl").write_text(
        json.dumps({"step": 4, "tasks": [{"name": "arc", "metrics": {"acc": {"value": None}}}]})
    )
    assert math.isnan(read_task(run, measure("arc/acc")))
    assert measure("arc/acc").is_better_high
    assert not measure("lambada/perplexity").is_better_high
    assert not measure("heldout_loss").is_better_high
