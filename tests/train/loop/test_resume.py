"""Stopped at any step and resumed is never stopped, bit for bit."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from schemas.errors import ContractError
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.ranks import run_on_ranks
from tests.support.stopping import LeaveAt, StopAfter
from tests.support.tiny_gpt import build_tiny
from train.loop import open_run as open_module
from train.loop.run import pretrain
from train.settings import TrainSettings


def settings(dataset: Path, output: Path, **changes: Any) -> TrainSettings:
    data: dict[str, Any] = {
        "manifest": str(dataset),
        "output": str(output),
        "model": {"preset": "tiny", "dropout": 0.1},
        "batch": {"sequences": 12, "microbatch": 2},
        "stop": {"steps": 6},
        "schedule": {"peak_lr": 0.01, "warmup": 2},
        "optimizer": {"max_grad_norm": 0.5},
        "checkpoint": {"every_steps": 100, "export": False},
        "threads": 1,
        "precision": {"compute": "fp32"},
    }
    return TrainSettings.model_validate(data | changes)


def train(dataset: str, output: str, steps: list[int], changes: dict[str, Any]) -> None:
    """Train to each step count in turn, every time as a run of its own."""
    # Put back: this also runs in the tests' own process.
    with mock.patch.object(open_module, "build_run", build_tiny):
        for count in steps:
            # The horizon stays 6 steps, so that the schedule is the same: a stop is a checkpoint.
            changed = settings(Path(dataset), Path(output), **changes)
            pretrain(changed, stop_flag=partial(StopAfter, count))


def weights(output: Path) -> dict[str, torch.Tensor]:
    from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

    target = output / "whole.pt"
    dcp_to_torch_save(output / "checkpoints" / "step-00000006" / "weights", target)
    loaded = torch.load(target, weights_only=False)
    flat = {f"model.{k}": v for k, v in loaded["model"].items()}
    return flat | {
        f"optimizer.{k}": v for k, v in loaded["optimizer"].items() if torch.is_tensor(v)
    }


def losses(output: Path) -> list[float]:
    lines = (output / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data", DatasetShape()).parent


def test_one_rank_resumes_bit_for_bit(dataset: Path, tmp_path: Path) -> None:
    train(str(dataset), str(tmp_path / "whole"), [100], {})
    train(str(dataset), str(tmp_path / "cut"), [2, 1, 100], {})

    assert losses(tmp_path / "whole") == losses(tmp_path / "cut")
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[key], cut[key]) for key in whole)


@pytest.mark.distributed
def test_four_ranks_resume_bit_for_bit(dataset: Path, tmp_path: Path) -> None:
    run_on_ranks(train, 4, str(dataset), str(tmp_path / "whole"), [100], {})
    run_on_ranks(train, 4, str(dataset), str(tmp_path / "cut"), [3], {})
    run_on_ranks(train, 4, str(dataset), str(tmp_path / "cut"), [100], {})

    assert losses(tmp_path / "whole") == losses(tmp_path / "cut")
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[key], cut[key]) for key in whole)


@pytest.mark.distributed
def test_ranks_and_microbatches_do_not_change_the_mathematics(
    dataset: Path, tmp_path: Path
) -> None:
    without = {"model": {"preset": "tiny", "dropout": 0.0}}
    train(str(dataset), str(tmp_path / "one"), [100], without)
    other = without | {"batch": {"sequences": 12, "microbatch": 4}}
    run_on_ranks(train, 3, str(dataset), str(tmp_path / "three"), [100], other)

    assert losses(tmp_path / "three") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)


def test_another_manifest_is_refused_with_both_roots(dataset: Path, tmp_path: Path) -> None:
    train(str(dataset), str(tmp_path / "run"), [2], {})
    other = write_dataset(tmp_path / "other", DatasetShape(seed=9)).parent

    with pytest.raises(ContractError, match=r"manifest_root is .* in the checkpoint, .* here"):
        train(str(other), str(tmp_path / "run"), [100], {})


@pytest.mark.parametrize("border", [4, 9])
def test_a_step_that_is_left_between_two_micro_batches_is_done_again(
    tmp_path: Path, border: int
) -> None:
    """12 rows in micro-batches of 2 are 6 borders a step: the 4th is in step 0, the 9th in step 1."""
    dataset = write_dataset(tmp_path / "data", DatasetShape())
    with mock.patch.object(open_module, "build_run", build_tiny):
        unbroken, broken = (settings(dataset, tmp_path / name) for name in ("whole", "broken"))
        pretrain(unbroken)
        pretrain(broken, stop_flag=partial(LeaveAt, border))
        saved = sorted(path.name for path in (tmp_path / "broken" / "checkpoints").glob("step-*"))
        pretrain(broken)

    assert saved == (["step-00000001"] if border > 6 else [])  # nothing is done in step 0
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_what_was_done_before_rows_that_cannot_be_read_is_saved(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", DatasetShape(lanes=1))
    shard = tmp_path / "data" / "shard-00000.parquet"  # the last one that seed 1 reads
    data = bytearray(shard.read_bytes())
    data[100] ^= 1  # found when its first row is due
    shard.write_bytes(data)
    with (
        mock.patch.object(open_module, "build_run", build_tiny),
        pytest.raises(ContractError, match="not a readable shard"),
    ):
        pretrain(settings(dataset, tmp_path / "run", stop={"steps": 12}))

    (saved,) = (tmp_path / "run" / "checkpoints").glob("step-*")
    assert int(saved.name.removeprefix("step-")) > 0
