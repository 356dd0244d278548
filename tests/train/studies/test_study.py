"""A study of arms from its pilots to its table: verdicts, costs before the first run, kills and restarts."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import PipelineError, QualityGateError, SettingsError
from schemas.yaml_files import dump_yaml
from tests.support.studies import FakeExecutor, make_study, noise, study_data
from train.commands import study as command
from train.statistics.paired import detectable
from train.studies.found import RESULT_NAME
from train.studies.outcome import Documents, Outcome
from train.studies.pilot import forecast, pilot_runs
from train.studies.plan import plan_study
from train.studies.runs import StudyRun
from train.studies.study import read_study, run_study
from train.studies.verdicts import documents_difference, study_table
from train.studies.work import work_through

ABLATE = ["bias", "dropout", "clipping"]
EFFECTS = {"base": 0.0, "without bias": 0.2, "without dropout": 0.0, "without clipping": -0.2}


def _value(run: StudyRun) -> float:
    return 2.0 + 0.1 * run.seed + EFFECTS[run.arm] + 0.01 * noise(run)


def _silent(text: str) -> None:
    del text


def test_the_table_says_which_parts_pay_and_which_are_not_told_apart(tmp_path: Path) -> None:
    study = make_study(tmp_path, ablate=ABLATE)

    found = run_study(study, FakeExecutor(_value).made, say=_silent)

    base, bias, dropout, clipping = found.table.rows
    assert [row.verdict for row in found.table.rows] == [
        "", "worse", "not told apart", "better"
    ]  # fmt: skip
    assert found.table.sentence == (
        "better than base: without clipping; worse than base: without bias; not told apart from base: without "
        "dropout."
    )
    assert found.table.freedom == 6  # (4 arms - 1)(3 seeds - 1): pooled over the table
    assert bias.difference is not None
    assert bias.difference.low < 0.2 < bias.difference.high
    assert bias.smallest == pytest.approx(detectable(bias.difference.standard_error, 7))
    assert bias.sizes.parameters < base.sizes.parameters
    assert bias.documents is not None
    assert bias.documents.value == pytest.approx(bias.difference.value, rel=1e-6)
    assert dropout.adjusted == pytest.approx(dropout.p_value)  # the largest of three
    written = json.loads((tmp_path / "study" / RESULT_NAME).read_text())
    assert written["verdict"] == found.table.sentence
    assert written["table"][1]["changes"] == {"model.bias": False}
    assert clipping.difference is not None
    assert written["table"][3]["difference"][0] == clipping.difference.value


def test_killed_at_any_run_and_started_again_the_table_is_the_same(tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def table(folder: Path) -> Any:
        return json.loads((folder / "study" / RESULT_NAME).read_text())["table"]

    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    pilot = {"seeds": 2, "most_deviation": 0.5}
    effects = {"base": 0.0, "without bias": 0.1}

    def value(run: StudyRun) -> float:
        return 2.0 + effects[run.arm] + 0.01 * noise(run)

    whole = make_study(tmp_path / "whole", ablate=["bias"], seeds=2, pilot=pilot)
    run_study(whole, FakeExecutor(value).made, say=_silent)
    killed = make_study(tmp_path / "killed", ablate=["bias"], seeds=2, pilot=pilot)
    for dies_at in range(6):
        count = iter(range(100))

        def dying(run: StudyRun, dies_at: int = dies_at, count: Any = count) -> float:
            if next(count) == 1 or dies_at == 0:
                raise KilledError
            return value(run)

        with pytest.raises(KilledError):
            run_study(killed, FakeExecutor(dying).made, say=_silent)
    run_study(killed, FakeExecutor(value).made, say=_silent)

    assert table(tmp_path / "killed") == table(tmp_path / "whole")


def test_failures_are_shown_with_their_reason_and_leave_the_rest_judged(tmp_path: Path) -> None:
    def value(run: StudyRun) -> float:
        if run.arm == "without clipping":
            raise PipelineError(f"step {run.seed}: no number")
        return _value(run)

    found = run_study(make_study(tmp_path, ablate=ABLATE), FakeExecutor(value).made, say=_silent)

    clipping = found.table.rows[3]
    assert clipping.verdict == "failed"
    assert clipping.failures == {f"without-clipping-seed-{seed}": f"step {seed}: no number" for seed in (1, 2, 3)}  # fmt: skip
    assert found.table.rows[1].verdict == "worse"
    assert found.table.freedom == 4


def test_without_a_run_of_the_reference_nothing_is_said(tmp_path: Path) -> None:
    def value(run: StudyRun) -> float:
        if run.arm == "base":
            raise PipelineError("no")
        return 2.0

    found = run_study(make_study(tmp_path), FakeExecutor(value).made, say=_silent)

    assert found.table.sentence.startswith("Nothing can be said: no run of base")


def test_one_seed_is_never_told_apart(tmp_path: Path) -> None:
    study = make_study(tmp_path, ablate=ABLATE, seeds=1)

    found = run_study(study, FakeExecutor(_value).made, say=_silent)

    assert {row.verdict for row in found.table.rows[1:]} == {"not told apart"}
    assert "one seed" in found.table.rows[1].notes[0]


def test_cost_and_smallest_effect_are_said_before_the_first_run(tmp_path: Path) -> None:
    said: list[str] = []
    study = make_study(
        tmp_path, ablate=["bias"], pilot={"seeds": 3, "tokens": 128, "most_deviation": 0.1}
    )
    worker = FakeExecutor(_value)

    def say(text: str) -> None:
        said.append(text)
        assert len(worker.asked) == 3  # pilots alone

    found = run_study(study, worker.made, say=say)

    told = found.forecast
    assert told is not None
    # Each pilot of 128 tokens cost 3 CPU seconds; six runs of 640 tokens, three of them a little smaller.
    assert told.cpu_hours == pytest.approx(6 * 5 * 3 / 3600, rel=0.02)
    assert told.runs == 6
    assert told.smallest == pytest.approx(detectable(told.deviation * math.sqrt(2 / 3), 3))
    assert "6 runs, about 0.0248 CPU hours" in said[0]
    assert "smallest difference" in said[0]


@pytest.mark.parametrize("kind", ["spread", "failed"])
def test_a_base_recipe_whose_pilots_are_unstable_is_refused(tmp_path: Path, kind: str) -> None:
    def value(run: StudyRun) -> float:
        if kind == "failed" and run.seed == 2:
            raise PipelineError("step 7: the gradient is no number")
        return 2.71 if run.seed == 1 else 2.9

    plan = plan_study(make_study(tmp_path, pilot={"seeds": 2}))
    pilots = pilot_runs(plan)
    worker = FakeExecutor(value)
    outcomes = work_through(pilots, tmp_path / "pilots", worker)

    with pytest.raises(QualityGateError, match=r"2\.7100, 2\.9000|gradient is no number"):
        forecast(plan, pilots, outcomes)
    assert worker.asked == ["base-seed-1", "base-seed-2"]
    assert (pilots[0].tokens, pilots[0].until_step) == (64, 1)


def test_an_arm_whose_pilots_are_unstable_is_left_out(tmp_path: Path) -> None:
    def value(run: StudyRun) -> float:
        return 2.0 + 0.001 * noise(run) + (0.5 * run.seed if run.arm == "without clipping" else 0.0)

    study = make_study(tmp_path, ablate=ABLATE, pilot={"seeds": 2, "arms": "all"})
    worker = FakeExecutor(value)

    found = run_study(study, worker.made, say=_silent)

    assert found.forecast is not None
    assert list(found.forecast.unstable) == ["without clipping"]
    assert [row.arm for row in found.table.rows] == ["base", "without bias", "without dropout"]
    assert sum(name.startswith("without-clipping") for name in worker.asked) == 2  # its pilots


def test_a_budget_of_hours_becomes_tokens_by_the_pilots_speed(tmp_path: Path) -> None:
    # 128 tokens cost 3 CPU seconds; two runs for 61 seconds, in whole batches.
    study = make_study(
        tmp_path, arms={"x": {"model.dropout": 0.2}}, seeds=1, budget={"cpu_hours": 61 / 3600},
        pilot={"seeds": 2, "tokens": 128},
    )  # fmt: skip

    found = run_study(study, FakeExecutor(lambda run: 2.0).made, say=_silent)

    assert {run.sizes.tokens for run in found.plan.runs} == {1280}


def test_documents_are_paired_and_other_documents_are_not(tmp_path: Path) -> None:
    def outcome(value: float, root: str) -> Outcome:
        losses = (value - 0.1, 2 * value, 3 * value + 0.1)
        documents = Documents(root=root, names=("x", "y", "z"), labels=(1, 2, 3), losses=losses)
        return Outcome(name="a", fingerprint="f", state="done", value=value, documents=documents)

    same = documents_difference([(outcome(2.5, "r"), outcome(2.0, "r"))], level=0.95)
    other = documents_difference([(outcome(2.5, "r"), outcome(2.0, "s"))], level=0.95)

    assert same is not None
    assert same.value == pytest.approx(0.5)
    assert same.standard_error == pytest.approx(0, abs=1e-12)  # each label is worse by as much
    assert other is None
    assert documents_difference([], level=0.95) is None
    plan = plan_study(make_study(tmp_path))
    assert study_table(plan, {}).rows[0].notes == ("3 of 3 runs are not done",)


def test_the_command_plans_without_training_and_shows_what_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(dump_yaml(study_data(tmp_path, ablate=ABLATE)))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)

    assert command.run(parser.parse_args([str(path), "--plan"])) == 0
    assert not (tmp_path / "study").exists()
    planned = capsys.readouterr().out
    run_study(make_study(tmp_path, ablate=ABLATE), FakeExecutor(_value).made, say=_silent)
    assert command.run(parser.parse_args([str(path), "--show"])) == 0
    shown = capsys.readouterr().out

    assert "12 runs in" in planned
    assert "without-clipping-seed-3" in planned
    assert shown.splitlines()[-1].startswith("better than base: without clipping; worse")
    assert read_study(make_study(tmp_path, ablate=ABLATE)).table.freedom == 6


def test_under_torchrun_a_worker_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(dump_yaml(study_data(tmp_path)))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    monkeypatch.setenv("RANK", "0")

    with pytest.raises(SettingsError, match="run it without torchrun"):
        command.run(parser.parse_args([str(path)]))


def test_a_study_that_has_not_begun_has_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no study has begun there"):
        read_study(make_study(tmp_path))
