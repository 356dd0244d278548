"""What a step read, told without training; the arguments that verbs share."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from schemas.errors import SettingsError
from schemas.manifest import read_manifest
from tests.support.datasets import DatasetShape, write_dataset
from train.commands import trace
from train.commands.arguments import add_recipe_arguments, settings_of
from train.data.config import LoaderConfig
from train.data.loader import open_split, shard_files


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    dataset = write_dataset(tmp_path / "data", DatasetShape()).parent
    path = tmp_path / "recipe.yaml"
    data = {
        "manifest": str(dataset), "output": str(tmp_path / "out"), "stop": {"steps": 40},
        "batch": {"sequences": 6, "microbatch": 2},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(data))
    return path


def parsed(recipe: Path, *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    trace.add_arguments(parser)
    return parser.parse_args(["--recipe", str(recipe), *more])


@pytest.mark.parametrize("step", [0, 17])
def test_the_documents_of_a_step_are_those_that_training_reads(
    recipe: Path, step: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trace.run(parsed(recipe, "--step", str(step))) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    data = recipe.parent / "data"
    manifest = read_manifest(data)
    split = open_split(
        shard_files(str(data), LoaderConfig()), manifest, LoaderConfig(), split="train", seed=1
    )
    samples = np.arange(6 * step, 6 * step + 6)
    assert [line["sample"] for line in lines] == samples.tolist()
    assert [line["row"] for line in lines] == split.cursor.rows(samples).tolist()
    assert {line["manifest"] for line in lines} == {manifest.root[:12]}
    rows = split.read(samples)
    assert sum(len(line["documents"]) for line in lines) == len(rows.segment_row)


@pytest.mark.parametrize("step", ["-1", "40"])
def test_a_step_that_the_run_does_not_have_is_refused(recipe: Path, step: str) -> None:
    with pytest.raises(SettingsError, match="the run has steps 0 to 39"):
        trace.run(parsed(recipe, f"--step={step}"))


def test_a_recipe_is_changed_from_the_command_line(recipe: Path) -> None:
    parser = argparse.ArgumentParser()
    add_recipe_arguments(parser)

    arguments = parser.parse_args(
        ["--recipe", str(recipe), "--set", "seed=5", "--set", "batch.sequences=12"]
    )

    settings = settings_of(arguments)
    assert (settings.seed, settings.batch.sequences, settings.batch.microbatch) == (5, 12, 2)
