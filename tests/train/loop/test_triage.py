"""Data, state or both: literal losses, and a row of noise that is planted among 96."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import yaml

from schemas.errors import ContractError
from tests.support import datasets
from train.commands import triage
from train.distributed.world import World
from train.loop.replay import open_replay
from train.loop.run import pretrain
from train.loop.triage import BatchLosses, Triage
from train.report.run_files import read_metrics
from train.settings import TrainSettings, load_train_settings

ALONE = World(rank=0, size=1, device=torch.device("cpu"))


@pytest.mark.parametrize(
    ("spiked_now", "spiked_before", "others_now", "others_before", "verdict"),
    [
        (9.0, 9.2, [4.0, 4.1, 3.9], [4.2, 4.3, 4.1], "data"),
        (9.0, 4.2, [4.0, 4.1, 3.9], [4.2, 4.3, 4.1], "interaction"),
        (9.0, 4.2, [9.1, 9.0, 8.9], [4.2, 4.3, 4.1], "state"),
        (4.1, 4.2, [4.0, 4.1, 3.9], [4.2, 4.3, 4.1], "none"),
    ],
)
def test_the_four_answers(
    spiked_now: float,
    spiked_before: float,
    others_now: list[float],
    others_before: list[float],
    verdict: str,
) -> None:
    losses = BatchLosses(
        spiked_now=spiked_now,
        spiked_before=spiked_before,
        others_now=others_now,
        others_before=others_before,
    )

    assert losses.verdict() == verdict


def test_one_wild_row_of_many_is_found_where_the_mean_sees_nothing() -> None:
    calm = BatchLosses(
        spiked_now=4.05,
        spiked_before=4.2,
        others_now=[4.0, 4.1, 3.9],
        others_before=[4.2, 4.3, 4.1],
    )
    wild = BatchLosses(
        spiked_now=9.0, spiked_before=8.8, others_now=[5.0, 5.1, 4.9], others_before=[5.2, 5.3, 5.1]
    )

    def found(segment_losses: BatchLosses | None) -> str:
        return Triage(
            step=9,
            state_step=9,
            earlier_step=4,
            losses=calm,
            segment_losses=segment_losses,
            worst=[],
        ).verdict()

    assert (found(wild), found(calm), found(None)) == ("data", "none", "none")


POISONED = "shard-00001.parquet-7"


def write_poisoned(folder: Path) -> str:
    """Rows of a rule that can be learnt, and one of noise; returns the noise's document."""
    plain = datasets._row

    def row(name: str, number: int, shape: Any, rng: np.random.Generator) -> dict[str, Any]:
        found = plain(name, number, shape, rng)
        if name == POISONED:
            found["input_ids"] = np.random.default_rng(1).integers(2, 97, 16).tolist()
        return found

    with mock.patch.object(datasets, "_row", row):
        datasets.write_dataset(folder)
    table = plain(POISONED, 7, datasets.DatasetShape(), np.random.default_rng(0))
    doc_id: str = table["segments"][0]["doc_id"]
    return doc_id


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A run of 48 steps, twice through 96 rows; the recipe, the step of the noise in pass two, its document."""
    folder = tmp_path_factory.mktemp("poisoned")
    doc_id = write_poisoned(folder / "data")
    recipe = {
        "manifest": str(folder / "data"),
        "output": str(folder / "run"),
        "model": {"preset": "gpt2-test", "dropout": 0.0},
        "batch": {"sequences": 4, "microbatch": 2},
        "stop": {"steps": 48},
        "schedule": {"peak_lr": 0.01, "warmup": 2},
        "checkpoint": {"every_steps": 5, "keep_last": 20, "export": False},
        "metrics": {"tensorboard": False},
        "evaluation": None,
        "threads": 1,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    settings = TrainSettings.model_validate(recipe)
    pretrain(settings)
    with open_replay(settings, ALONE) as replay:
        documents = {
            step: {
                s.doc_id
                for n in range(4 * step, 4 * step + 4)
                for s in replay.run.data.origin(n).segments
            }
            for step in range(24, 48)
        }
    return path, next(step for step, found in documents.items() if doc_id in found), doc_id


def parsed(module: Any, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser.parse_args(arguments)


def test_a_planted_document_is_named_and_quarantined_once(
    trained: tuple[Path, int, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, step, doc_id = trained
    file = tmp_path / "quarantine.jsonl"
    arguments = ["--recipe", str(recipe), "--step", str(step), "--steps-back", "6"]
    arguments += ["--quarantine", str(file)]

    for _ in range(2):
        assert triage.run(parsed(triage, *arguments)) == 0

    verdict, worst = (json.loads(line) for line in capsys.readouterr().out.splitlines()[:2])
    assert (verdict["verdict"], verdict["state_step"]) == ("data", step)
    assert worst["doc_id"] == doc_id
    assert [json.loads(line)["doc_id"] for line in file.read_text().splitlines()] == [doc_id]


def test_a_step_of_ordinary_rows_is_left_alone(
    trained: tuple[Path, int, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, step, _ = trained
    other = step + 3 if step < 40 else step - 3
    file = tmp_path / "quarantine.jsonl"
    arguments = ["--recipe", str(recipe), "--step", str(other), "--quarantine", str(file)]

    triage.run(parsed(triage, *arguments))

    assert json.loads(capsys.readouterr().out.splitlines()[0])["verdict"] == "none"
    assert not file.exists()


def test_a_replayed_step_has_the_bits_that_it_had(trained: tuple[Path, int, str]) -> None:
    settings = load_train_settings(trained[0])
    recorded = read_metrics(Path(settings.output) / "metrics.jsonl")
    before = sorted(path.name for path in Path(settings.output).rglob("*"))

    with open_replay(settings, ALONE) as replay:
        replay.go_to(17)
        found = [(one.totals.mean, one.grad_norm) for one in replay.outcomes(21)]

    assert found == [(one["loss"], one["grad_norm"]) for one in recorded[17:21]]
    assert sorted(path.name for path in Path(settings.output).rglob("*")) == before


def test_a_step_before_the_first_checkpoint_is_refused(trained: tuple[Path, int, str]) -> None:
    with (
        open_replay(load_train_settings(trained[0]), ALONE) as replay,
        pytest.raises(ContractError, match="no checkpoint of step 3 or earlier; there are: 5, 10"),
    ):
        replay.go_to(3)
