"""A change of manifest at a token of the run: which rows are read, and what resume refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from schemas.errors import ContractError, SettingsError
from tests.support.datasets import DatasetShape, write_dataset
from train.data.config import DataSpan, LoaderConfig
from train.data.loader import open_split, shard_files
from train.data.remote import open_manifest
from train.data.spliced import open_spans
from train.report.events import read_events

TOKENS = 16  # of a row


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    first = write_dataset(tmp_path / "a", DatasetShape(seed=1)).parent
    second = write_dataset(tmp_path / "b", DatasetShape(seed=2)).parent
    return [str(first), str(second)]


def spans(folders: list[str], rows: int) -> list[DataSpan]:
    return [
        DataSpan(manifest=folders[0], until_tokens=rows * TOKENS),
        DataSpan(manifest=folders[1]),
    ]


def alone(folder: str, samples: list[int]) -> list[list[int]]:
    files = shard_files(folder, LoaderConfig())
    manifest = open_manifest(files)
    data = open_split(files, manifest, LoaderConfig(), split="train", seed=7)
    return data.read(np.array(samples)).input_ids.tolist()


def test_a_batch_across_the_change_holds_rows_of_both(folders: list[str]) -> None:
    data = open_spans(spans(folders, 10), LoaderConfig(), seed=7)

    rows = data.read(np.arange(6, 14, dtype=np.int64))

    expected = alone(folders[0], [6, 7, 8, 9]) + alone(folders[1], [0, 1, 2, 3])
    assert rows.input_ids.tolist() == expected
    assert rows.sample_index.tolist() == list(range(6, 14))
    assert sorted(set(rows.segment_row.tolist())) == list(range(8))
    assert int(rows.segment_length.sum()) == sum(1 for row in expected for token in row if token)


def test_a_change_inside_a_row_is_refused(folders: list[str]) -> None:
    wrong = [DataSpan(manifest=folders[0], until_tokens=33), DataSpan(manifest=folders[1])]

    with pytest.raises(SettingsError, match="33 is no multiple of the rows' 16 tokens; use 32"):
        open_spans(wrong, LoaderConfig(), seed=7)


def test_another_length_of_rows_is_refused(folders: list[str], tmp_path: Path) -> None:
    other = str(write_dataset(tmp_path / "c", DatasetShape(seq_len=32)).parent)

    with pytest.raises(ContractError, match="seq_len is 32, that of the first manifest 16"):
        open_spans(spans([folders[0], other], 4), LoaderConfig(), seed=7)


def train(recipe: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "train", *more, "--recipe", str(recipe)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def write_recipe(folders: list[str], tmp_path: Path, rows: int) -> Path:
    recipe: dict[str, Any] = {
        "output": str(tmp_path / "run"),
        "data": [{"manifest": folders[0], "until_tokens": rows * TOKENS}, {"manifest": folders[1]}],
        "model": {"preset": "gpt2-test"},
        "batch": {"sequences": 4, "microbatch": 4},
        "stop": {"steps": 4},
        "schedule": {"lr_scheduler_type": "constant"},
        "checkpoint": {"export": False},
        "evaluation": None,
        "metrics": {"peak_flops": 1e9, "tensorboard": False},
        "threads": 1,
        "precision": {"compute": "fp32"},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.mark.slow
def test_a_run_notes_the_change_traces_it_and_refuses_to_move_it(
    folders: list[str], tmp_path: Path
) -> None:
    recipe = write_recipe(folders, tmp_path, 10)
    done = train(recipe, "pretrain")
    assert done.returncode == 0, done.stderr

    events = read_events(tmp_path / "run" / "events.jsonl")
    manifests = [event for event in events if event["kind"] == "manifest"]
    assert [(event["step"], event["from_tokens"]) for event in manifests] == [(0, 0), (2, 160)]
    traced = [
        json.loads(line) for line in train(recipe, "trace", "--step", "2").stdout.splitlines()
    ]
    roots = [line["manifest"] for line in traced]
    assert (
        roots == [manifests[0]["manifest_root"][:12]] * 2 + [manifests[1]["manifest_root"][:12]] * 2
    )
    assert all(line["documents"] for line in traced)

    moved = train(write_recipe(folders, tmp_path, 6), "pretrain")
    assert moved.returncode == 3
    assert "spans is" in moved.stderr


def test_an_altered_event_is_found(tmp_path: Path, folders: list[str]) -> None:
    from train.report.events import EventLog

    log = EventLog(tmp_path / "events.jsonl")
    log.append("start", step=0)
    log.append("resume", step=5, world_size=4)
    log.append("stop", step=9)
    path = tmp_path / "events.jsonl"
    assert [event["kind"] for event in read_events(path)] == ["start", "resume", "stop"]

    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], lines[1].replace('"step": 5', '"step": 6'), lines[2]]))
    with pytest.raises(ContractError, match="line 2 was altered"):
        read_events(path)
    path.write_text("".join([lines[0], lines[2]]))
    with pytest.raises(ContractError, match="line 2 was altered, or one before it is gone"):
        read_events(path)
