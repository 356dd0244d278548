"""Ladders of runs: their plan, their folder, and the law that their runs follow."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import SettingsError
from schemas.settings import parse_settings
from schemas.yaml_files import dump_yaml
from tests.support.studies import FakeExecutor, write_base
from tests.train.scaling.ladders import TRUE
from train.__main__ import main
from train.model.config import ModelConfig
from train.studies.ladder import (
    POINTS_NAME,
    LadderPlan,
    LadderSettings,
    climb,
    counted_parameters,
    near_shape,
    plan_ladder,
)
from train.studies.runs import StudyRun

SIZES = [20_000, 40_000, 80_000, 160_000]
MODEL = {"preset": "gpt2-test", "width": 32, "num_heads": 4, "num_layers": 2}


def _data(folder: Path, **changes: Any) -> dict[str, Any]:
    recipe = str(write_base(folder, model=MODEL))
    return {"recipe": recipe, "output": str(folder / "ladder"), "sizes": SIZES} | changes


def _plan(folder: Path, **changes: Any) -> LadderPlan:
    return plan_ladder(parse_settings(LadderSettings, _data(folder, **changes), where="ladder"))


def test_each_size_gets_two_durations_and_a_rate_by_the_law(tmp_path: Path) -> None:
    plan = _plan(tmp_path)

    assert len(plan.runs) == 16
    first, second = plan.runs[0], plan.runs[1]
    for run in plan.runs:
        size = run.phases[-1].facts.model.num_parameters()
        assert plan.parameters[run.name] == size
        assert min(abs(size / asked - 1) for asked in SIZES) < 0.35
    # Whole batches of 64 tokens.
    assert first.tokens == pytest.approx(2 * plan.parameters[first.name], abs=64)
    assert second.tokens == pytest.approx(8 * plan.parameters[second.name], abs=64)
    rates = [run.settings.schedule.peak_lr or 0 for run in plan.runs]
    sizes = [plan.parameters[run.name] for run in plan.runs]
    assert rates[0] / rates[6] == pytest.approx((sizes[0] / sizes[6]) ** (-1 / 3))


def test_a_shape_keeps_its_heads_and_about_its_form() -> None:
    shape = ModelConfig(vocab_size=100, width=64, num_heads=4, num_layers=4, num_kv_heads=2)

    found = near_shape(shape, 1e6, counted="without_embeddings")

    assert counted_parameters(found, "without_embeddings") == pytest.approx(1e6, rel=0.2)
    assert found.head_width == 16
    assert found.num_heads == 2 * found.num_kv_heads
    assert found.width == 16 * found.num_heads
    assert 8 < found.width / found.num_layers < 32  # the given one has 16


def test_a_size_that_the_vocabulary_alone_exceeds_is_refused() -> None:
    shape = ModelConfig(vocab_size=50_000, width=64, num_heads=1)

    with pytest.raises(SettingsError, match="no model with heads of 64"):
        near_shape(shape, 3e5, counted="all")


def test_the_law_of_the_runs_is_found_and_a_restart_trains_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = _plan(tmp_path)

    def loss(run: StudyRun) -> float:
        return float(TRUE.loss(plan.parameters[run.name], run.tokens)) + 1e-4 * run.seed

    executor = FakeExecutor(loss)
    climb(plan, executor.made(plan.measure))
    once = len(executor.asked)
    climb(plan, executor.made(plan.measure))
    main(["ladder", "--points", str(plan.folder / POINTS_NAME), "--resamples", "5", "--json"])

    assert once == len(executor.asked) == 16
    law = json.loads(capsys.readouterr().out)["law"]
    assert law["size_exponent"] == pytest.approx(TRUE.size_exponent, rel=0.05)
    assert law["tokens_exponent"] == pytest.approx(TRUE.tokens_exponent, rel=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens_per_parameter": [20]}, "tokens_per_parameter"),
        ({"sizes": [1e5, 1e5, 2e5]}, "numbers that differ"),
        ({"measure": {"figure": "bits_per_byte"}}, "the law is one of losses"),
        ({"sizes": [1e5, 1.01e5, 1.02e5]}, "give the same shape"),
        ({"set": {"seed": 3}}, "the study sets it"),
    ],
)
def test_what_cannot_be_fitted_is_refused_before_anything_runs(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        _plan(tmp_path, **changes)


def test_a_folder_of_another_ladder_is_refused(tmp_path: Path) -> None:
    executor = FakeExecutor(lambda run: 1 + 1 / run.tokens)
    climb(_plan(tmp_path), executor.made(_plan(tmp_path).measure))

    with pytest.raises(SettingsError, match="is the study of another base"):
        climb(_plan(tmp_path, counted="without_embeddings"), executor.made(_plan(tmp_path).measure))


def test_a_plan_is_printed_without_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ladder.yaml"
    path.write_text(dump_yaml(_data(tmp_path)), "utf-8")

    assert main(["ladder", str(path), "--plan"]) == 0

    assert "16 runs in" in capsys.readouterr().out
    assert not (tmp_path / "ladder").exists()


def test_a_ladder_or_points_are_needed() -> None:
    with pytest.raises(SettingsError, match="give the file of a ladder, or --points"):
        main(["ladder"])
