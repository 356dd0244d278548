"""The small ladder: a recorded run is never trained again, and the law is fitted to what is recorded."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.train import small_ladder as module
from benchmarks.train.run_records import read_records
from benchmarks.train.small_ladder import LADDER, climb_recorded, fitted, plan_text, recorded_plan
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.studies import FakeExecutor, noise
from train.scaling.law import ScalingLaw
from train.studies.claims import AskedToStopError
from train.studies.ladder import LadderPlan, climb, load_ladder
from train.studies.runs import StudyRun

ROOT = Path(__file__).resolve().parents[2]
LAW = ScalingLaw(
    floor=1.7, size_factor=87.4, size_exponent=0.34, tokens_factor=291.5, tokens_exponent=0.37
)


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(ROOT)
    write_dataset(tmp_path / "text", DatasetShape(rows_per_shard=(60,), heldout_rows=12))
    return tmp_path / "text"


def _plan(text: Path, work: Path) -> LadderPlan:
    settings = load_ladder(LADDER)
    return recorded_plan(settings.model_copy(update={"sizes": (2.4e4, 5e4, 1e5, 2e5)}), text, work)


def _executor(plan: LadderPlan) -> FakeExecutor:
    def loss(run: StudyRun) -> float:
        return float(LAW.loss(plan.parameters[run.name], run.tokens)) + 0.002 * noise(run)

    return FakeExecutor(loss)


def test_a_ladder_goes_on_elsewhere_where_it_was_stopped(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.jsonl"
    first, second = _plan(text, tmp_path / "here"), _plan(text, tmp_path / "there")
    here, there = _executor(first), _executor(second)
    monkeypatch.setattr(module, "Executor", here.made)
    with pytest.raises(AskedToStopError):
        climb_recorded(first, text, path, most_runs=5)
    monkeypatch.setattr(module, "Executor", there.made)

    climb_recorded(second, text, path)
    found = fitted(second, read_records(path), resamples=10)

    assert here.asked == [run.name for run in first.runs[:5]]
    assert there.asked == [run.name for run in second.runs[5:]]
    assert len(read_records(path).of_study("small_ladder")) == 16
    assert found["runs"] == 16
    assert found["law"]["size_exponent"] == pytest.approx(LAW.size_exponent, abs=0.15)
    assert found["target"]["parameters"] == 4 * max(second.parameters.values())


def test_runs_of_other_text_are_trained_again(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = tmp_path / "runs.jsonl", tmp_path / "other"
    write_dataset(other, DatasetShape(rows_per_shard=(60,), heldout_rows=12, seed=7))
    plan, elsewhere = _plan(text, tmp_path / "here"), _plan(other, tmp_path / "there")
    fake, again = _executor(plan), _executor(elsewhere)
    monkeypatch.setattr(module, "Executor", fake.made)
    climb_recorded(plan, text, path)
    monkeypatch.setattr(module, "Executor", again.made)

    climb_recorded(elsewhere, other, path)

    assert len(again.asked) == 16
    assert "recorded of another recipe or data" in capsys.readouterr().out


def test_an_outcome_that_is_not_recorded_is_measured_again(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _plan(text, tmp_path / "here")
    climb(plan, _executor(plan))  # as `train ladder` does it, without a record
    fake = _executor(plan)
    monkeypatch.setattr(module, "Executor", fake.made)

    climb_recorded(plan, text, tmp_path / "runs.jsonl")

    assert len(fake.asked) == 16


def test_a_plan_says_what_is_left(text: Path, tmp_path: Path) -> None:
    plan = _plan(text, tmp_path / "here")

    lines = plan_text(plan, read_records(tmp_path / "none.jsonl")).splitlines()

    assert len(lines) == 18
    hours = sum(run.flops for run in plan.runs) * module._SECONDS_PER_FLOP / 3600
    assert lines[-1] == f"0 of 16 runs are recorded, {hours:.2f} CPU hours are left"
    assert math.isclose(sum(run.tokens for run in plan.runs), 2 * 10 * sum(set(plan.parameters.values())), rel_tol=0.02)  # fmt: skip
