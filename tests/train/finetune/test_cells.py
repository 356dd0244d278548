"""Protocols, the runs of a study, and how the rate is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.errors import SettingsError
from schemas.settings import parse_settings
from schemas.yaml_files import dump_yaml
from train.finetune.cells import (
    Cell,
    cell_settings,
    choose_rate,
    final_cells,
    selection_cells,
    selection_labels,
)
from train.finetune.predictions import Answers
from train.finetune.protocols import PROTOCOLS, find_protocol
from train.finetune.settings import FinetuneSettings, load_finetune_settings
from train.finetune.verdict import Outcome, accuracy, as_dict, most_given, rows_of
from train.optim.schedules import Progress, learning_rate

STUDY: dict[str, Any] = {
    "output": "runs/study", "source": "runs/bert", "protocol": "bert",
    "train": {100: "a", 300: "b", 1000: "c", 67_349: "d"}, "dev": "dev", "test": "test",
}  # fmt: skip


def _study(**changes: Any) -> FinetuneSettings:
    return parse_settings(FinetuneSettings, {**STUDY, **changes}, where="study.yaml")


def test_rates_are_tried_on_a_thousand_labels_and_then_every_seed_runs() -> None:
    study = _study()

    tried, final = selection_cells(study), list(final_cells(study, 3e-5))

    assert [(cell.labels, cell.rate, cell.seed) for cell in tried] == [
        (1000, 5e-5, 1), (1000, 3e-5, 1), (1000, 2e-5, 1)
    ]  # fmt: skip
    assert len(final) == 4 * 5
    assert final[0] == Cell(labels=100, rate=3e-5, seed=1)
    assert {cell.rate for cell in final} == {3e-5}


def test_the_nearest_number_of_labels_chooses_where_there_are_no_thousand() -> None:
    assert selection_labels(_study(train={100: "a", 500: "b", 1500: "c"})) == 500
    assert selection_labels(_study(train={100: "a"})) == 100


def test_one_rate_needs_no_choice() -> None:
    study = _study(protocol="mosbach")

    assert selection_cells(study) == []
    assert choose_rate(study, {}) == 2e-5
    assert selection_cells(_study(rates=[1e-3])) == []


def test_dev_decides_by_the_mean_over_seeds_and_ties_go_to_the_smaller_rate() -> None:
    study = _study(rates=[1e-4, 1e-5], select_seeds=2)
    cells = selection_cells(study)

    def chosen(*scores: float) -> float:
        return choose_rate(study, dict(zip(cells, scores, strict=True)))

    assert chosen(0.9, 0.5, 0.69, 0.72) == 1e-5
    assert chosen(0.9, 0.6, 0.69, 0.72) == 1e-4
    assert chosen(0.7, 0.7, 0.7, 0.7) == 1e-5


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_every_protocol_is_a_recipe(name: str) -> None:
    study = _study(protocol=name)

    settings = cell_settings(study, Cell(labels=300, rate=find_protocol(name).rates[0], seed=2))

    assert settings.manifest == "b"
    assert settings.seed == 2
    assert settings.warm_start is not None
    assert settings.warm_start.source == "runs/bert"
    assert settings.batch.microbatch == settings.batch.sequences


def test_roberta_rises_for_six_hundredths_and_falls_in_a_line_to_nothing() -> None:
    settings = cell_settings(_study(protocol="roberta"), Cell(labels=100, rate=1e-5, seed=1))

    def rate(step: int) -> float:
        progress = Progress(
            step=step, tokens=step * 10, total_steps=1000, total_tokens=10_000,
            tokens_per_pass=100, step_in_pass=0,
        )  # fmt: skip
        return learning_rate(progress, settings.schedule)

    assert rate(60) == pytest.approx(1e-5)
    assert rate(30) == pytest.approx(0.5e-5, rel=0.05)
    assert rate(530) == pytest.approx(0.5e-5)
    assert rate(999) == pytest.approx(1e-5 / 940, rel=0.01)


def test_the_recipe_of_a_study_changes_the_protocol_key_by_key() -> None:
    study = _study(recipe={"stop": {"steps": 7}, "batch": {"microbatch": 8}, "threads": 1})

    settings = cell_settings(study, Cell(labels=100, rate=1e-5, seed=1))

    assert (settings.stop.steps, settings.stop.epochs) == (7, None)
    assert (settings.batch.sequences, settings.batch.microbatch) == (32, 8)


@pytest.mark.parametrize(("labels", "stop"), [(100, (50, None)), (1000, (None, 3.0))])
def test_few_labels_get_the_fewest_steps(
    labels: int, stop: tuple[int | None, float | None]
) -> None:
    settings = cell_settings(_study(min_steps=50), Cell(labels=labels, rate=1e-5, seed=1))

    assert (settings.stop.steps, settings.stop.epochs) == stop  # 1,000 labels: 94 steps of 32


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocol": "bret"}, "did you mean 'bert'"),
        ({"dev": "test"}, "one manifest"),
        ({"recipe": {"seed": 3}}, "recipe.seed"),
        ({"objective": {"name": "causal"}}, "expected classify or text_to_text"),
        ({"objective": {"name": "classify", "at": "tokens"}}, "whole rows"),
        ({"train": {0: "a"}}, "start at 1"),
        ({"source": None}, "recipe.model"),
        ({"select": 3}, "select"),
    ],
)
def test_what_would_make_wrong_figures_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(dump_yaml({**STUDY, **changes}))

    with pytest.raises(SettingsError, match=words):
        load_finetune_settings(path)


def _outcome(labels: int, seed: int, test: float, share: float = 0.6) -> Outcome:
    cell = Cell(labels=labels, rate=1e-5, seed=seed)
    return Outcome(cell=cell, dev=test, most_given=share, test=test)


def test_a_curve_has_an_interval_over_seeds_and_counts_what_collapsed() -> None:
    outcomes = [
        _outcome(100, 1, 0.5, 1.0), _outcome(100, 2, 0.52), _outcome(100, 3, 0.54),
        _outcome(300, 1, 0.7), _outcome(300, 2, 0.71), _outcome(300, 3, 0.72),
    ]  # fmt: skip

    few, more = rows_of(outcomes, {100: 0.3, 300: 0.8})
    found = as_dict([few, more], 1e-5, 0.51, {})

    # t(2) at .975 is 4.303, times .02 / sqrt(3).
    assert few.accuracy.high - few.accuracy.value == pytest.approx(4.303 * 0.02 / 3**0.5, rel=1e-3)
    assert (few.collapsed, more.collapsed) == (1, 0)
    assert few.above_bag.value == pytest.approx(0.22)
    assert found["labels"][1]["above_bag"][2] < 0  # told apart, and below
    assert [one["above_majority"] for one in found["labels"]] == [False, True]


def test_answers_are_counted() -> None:
    answers = Answers(right=np.array([0, 1, 1, -1]), given=np.array([0, 0, 1, 0]))

    assert accuracy(answers) == 0.5
    assert most_given(answers) == 0.75
    assert answers.correct == [True, False, True, False]
