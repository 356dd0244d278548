"""A run keeps the order of the data with which it began, whatever version goes on with it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow.parquet as pq
import pytest

from schemas.manifest import read_manifest
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.stopping import StopAfter
from tests.support.tiny_gpt import build_tiny
from tests.train.loop.test_resume import settings
from train.checkpoint.pointer import latest_checkpoint
from train.checkpoint.state_file import read_state, write_state
from train.commands import trace
from train.data.config import BatchConfig, DataSpan, LoaderConfig
from train.data.cursor import RankShare
from train.data.packed import PackedRows
from train.data.spliced import open_spans
from train.loop import open_run as open_module
from train.loop.data_order import order_of_run
from train.loop.plan import RunPlan
from train.loop.run import pretrain
from train.loop.stream import RowSource
from train.settings import StopConfig


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data", DatasetShape()).parent


def train(dataset: Path, output: Path, *, stop: int = 100, order: str | None = None) -> None:
    """Train 6 steps, or leave after some; `order` is that of a version which had no other."""
    given = order_of_run if order is None else (lambda _: order)
    with (
        mock.patch.object(open_module, "build_run", build_tiny),
        mock.patch.object(open_module, "order_of_run", given),
    ):
        pretrain(settings(dataset, output), stop_flag=partial(StopAfter, stop))


def identity(output: Path) -> dict[str, Any]:
    path = latest_checkpoint(output / "checkpoints")
    assert path is not None
    found: dict[str, Any] = read_state(path)["identity"]
    return found


def as_before_the_entry(output: Path) -> Path:
    """Take the order out of the last checkpoint, as earlier versions wrote it."""
    path = latest_checkpoint(output / "checkpoints")
    assert path is not None
    state = read_state(path)
    del state["identity"]["order"], state["sha256"]
    index = state.pop("index_sha256")
    write_state(path, state, index_sha256=index)
    return path


def losses(output: Path) -> list[float]:
    lines = (output / "metrics.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines if "loss" in json.loads(line)]


def test_an_older_run_goes_on_in_its_order(dataset: Path, tmp_path: Path) -> None:
    train(dataset, tmp_path / "whole", order="by_shard")
    train(dataset, tmp_path / "cut", stop=2, order="by_shard")
    as_before_the_entry(tmp_path / "cut")
    train(dataset, tmp_path / "cut")
    train(dataset, tmp_path / "new")

    assert losses(tmp_path / "cut") == losses(tmp_path / "whole") != losses(tmp_path / "new")
    assert identity(tmp_path / "cut")["order"] == "by_shard"
    assert identity(tmp_path / "new")["order"] == "by_seed"


def test_a_phase_goes_on_in_the_order_of_the_one_before(dataset: Path, tmp_path: Path) -> None:
    train(dataset, tmp_path / "first", stop=2, order="by_shard")
    source = as_before_the_entry(tmp_path / "first")
    later = settings(dataset, tmp_path / "second", warm_start={"source": str(source)})
    new = settings(dataset, tmp_path / "second", warm_start={"source": "elsewhere/model"})

    assert order_of_run(later.model_copy(update={"first_sample": 24})) == "by_shard"
    assert order_of_run(later) == "by_seed"  # it reads the data from their beginning
    assert order_of_run(new.model_copy(update={"first_sample": 24})) == "by_seed"


@pytest.mark.parametrize(
    ("order", "rows"),
    [("by_shard", [0, 24, 48, 72, 1, 25]), (None, [67, 92, 51, 33, 79, 76])],
)
def test_the_trace_names_the_rows_that_the_run_read(
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    order: str | None,
    rows: list[int],
) -> None:
    train(dataset, tmp_path / "run", stop=1, order=order)
    if order is not None:
        as_before_the_entry(tmp_path / "run")
    asked = settings(dataset, tmp_path / "run")
    with mock.patch.object(trace, "settings_of", return_value=asked):
        trace.run(mock.Mock(step=0))

    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["row"] for line in lines if line.startswith("{")][:6] == rows


def rows_of_steps(dataset: Path, *, ranks: int, seed: int, steps: int) -> list[list[str]]:
    """The `row_id` of every row that the ranks read, by step, found again in the files by its tokens."""
    files = [dataset / shard.path for shard in read_manifest(dataset).train.shards]
    known = {
        np.array(row["input_ids"], np.int32).tobytes(): row["row_id"]
        for path in files
        for row in pq.read_table(path).to_pylist()
    }

    def row_ids(rows: PackedRows) -> list[str]:
        return [known[ids.tobytes()] for ids in np.ascontiguousarray(rows.input_ids)]

    plan = RunPlan.of(
        read_manifest(dataset),
        BatchConfig(sequences=12, microbatch=2),
        StopConfig(steps=steps),
        first_sample=0,
    )
    found: list[list[str]] = [[] for _ in range(steps)]
    for rank in range(ranks):
        data = open_spans(
            (DataSpan(manifest=str(dataset)),),
            LoaderConfig(),
            seed=seed,
            first_sample=0,
            order="by_seed",
        )
        source = RowSource(data=data, make_batch=row_ids, microbatch=2, prefetched=2)
        with source.stream(plan, RankShare(rank=rank, ranks=ranks), start_step=0) as stream:
            for step in range(steps):
                for item in stream.of_step(plan.span(step)):
                    found[step] += item.content
    return [sorted(step) for step in found]


def test_a_seed_gives_the_same_rows_to_one_rank_and_to_several(dataset: Path) -> None:
    """96 rows in steps of 12: the ninth step begins the second pass."""
    alone = rows_of_steps(dataset, ranks=1, seed=1, steps=10)

    assert [len(set(step)) for step in alone] == [12] * 10
    assert len({row for step in alone[:8] for row in step}) == 96, "a pass reads each row once"
    assert alone[8] != alone[0], "and the next one in another order"
    assert rows_of_steps(dataset, ranks=2, seed=1, steps=10) == alone
    assert rows_of_steps(dataset, ranks=3, seed=1, steps=10) == alone
    assert rows_of_steps(dataset, ranks=2, seed=2, steps=10)[0] != alone[0]
