"""From a damaged checkpoint back to the newest one before it that is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from schemas.errors import ContractError
from tests.train.checkpoint.test_store import STATE, cut, store
from train.__main__ import main
from train.checkpoint.branch import newest_good_before
from train.checkpoint.pointer import latest_checkpoint
from train.distributed.world import World
from train.loop.last_good import go_back_to_last_good

ALONE = World(rank=0, size=1, device=torch.device("cpu"))


def three_checkpoints(folder: Path) -> list[Path]:
    saved = store(folder, asynchronous=False, keep_last=3)
    return [saved.save(step, {"model": {"w": torch.ones(step)}}, STATE) for step in (1, 2, 3)]


def test_damaged_ones_are_passed_over(tmp_path: Path) -> None:
    first, second, third = three_checkpoints(tmp_path)
    cut(third / "state.json")
    (second / "weights" / "__0_0.distcp").unlink()

    assert newest_good_before(third) == first
    assert go_back_to_last_good(tmp_path, ALONE) == first
    assert latest_checkpoint(tmp_path) == first


def test_a_whole_one_stays_the_last_and_none_is_none(tmp_path: Path) -> None:
    third = three_checkpoints(tmp_path)[-1]

    assert go_back_to_last_good(tmp_path, ALONE) == third
    assert go_back_to_last_good(tmp_path / "nowhere", ALONE) is None


def test_where_none_is_whole_nothing_is_chosen(tmp_path: Path) -> None:
    for path in three_checkpoints(tmp_path):
        cut(path / "weights" / "index.json")

    with pytest.raises(ContractError, match="no checkpoint is whole"):
        go_back_to_last_good(tmp_path, ALONE)


def test_the_error_names_the_good_one_before(tmp_path: Path) -> None:
    _, second, third = three_checkpoints(tmp_path)
    cut(third / "state.json")

    with pytest.raises(ContractError) as refusal:
        main(["generate", "--model", str(third), "--prompt", "a"])

    assert str(refusal.value).startswith(f"{third}/state.json: damaged: ")
    assert str(refusal.value).endswith(
        f"; the newest good one before it is {second}: give that one"
    )
