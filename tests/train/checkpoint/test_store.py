"""Checkpoints of one process: whole or not there, found again, retired by rule."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from schemas.errors import ContractError
from train.checkpoint.config import CheckpointConfig
from train.checkpoint.environment import changed_environment, environment_lock
from train.checkpoint.pointer import find_checkpoint, latest_checkpoint, step_of, whole_checkpoints
from train.checkpoint.store import CheckpointStore, load_tensors, read_state, refuse_other_run
from train.distributed.world import World

STATE = {"identity": {"manifest": "a", "model": {"width": 8}}, "settings": {}}


def store(folder: Path, **config: object) -> CheckpointStore:
    world = World(rank=0, size=1, device=torch.device("cpu"))
    return CheckpointStore(
        folder=folder, config=CheckpointConfig.model_validate(config), world=world
    )


def steps(folder: Path) -> list[int]:
    return [step_of(path) for path in whole_checkpoints(folder)]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_was_saved_is_loaded(tmp_path: Path, asynchronous: bool) -> None:  # noqa: FBT001
    saved = store(tmp_path, asynchronous=asynchronous)
    path = saved.save(3, {"model": {"w": torch.arange(4.0)}}, STATE)
    saved.finish()
    into = {"model": {"w": torch.zeros(4)}}

    load_tensors(path, into, world_size=1)

    assert into["model"]["w"].tolist() == [0, 1, 2, 3]
    assert read_state(path)["identity"]["manifest"] == "a"
    assert saved.latest() == path


def test_the_newest_and_multiples_stay(tmp_path: Path) -> None:
    saved = store(tmp_path, asynchronous=False, keep_last=2, keep_every_steps=4)

    for step in range(1, 8):
        saved.save(step, {"w": torch.zeros(1)}, STATE)

    assert steps(tmp_path) == [4, 6, 7]


def test_a_broken_save_is_no_checkpoint(tmp_path: Path) -> None:
    store(tmp_path, asynchronous=False).save(1, {"w": torch.zeros(1)}, STATE)
    (tmp_path / "step-00000002.incomplete").mkdir()
    (tmp_path / "step-00000003").mkdir()
    (tmp_path / "latest").write_text("step-00000003")

    # The pointer names a folder without a state: the newest whole one counts.
    assert latest_checkpoint(tmp_path) == tmp_path / "step-00000001"
    assert steps(tmp_path) == [1]


def test_a_checkpoint_is_found_from_its_run(tmp_path: Path) -> None:
    path = store(tmp_path / "checkpoints", asynchronous=False).save(5, {"w": torch.zeros(1)}, STATE)

    assert find_checkpoint(tmp_path) == find_checkpoint(path) == path
    with pytest.raises(ContractError, match="no checkpoint there"):
        find_checkpoint(tmp_path / "elsewhere")
    assert step_of(tmp_path) == -1


def test_damage_is_named(tmp_path: Path) -> None:
    path = store(tmp_path, asynchronous=False).save(1, {"w": torch.zeros(2)}, STATE)

    with pytest.raises(ContractError, match="weights cannot be loaded"):
        load_tensors(path, {"other": torch.zeros(2)}, world_size=1)
    (path / "state.json").write_text(json.dumps({"format_version": 99}))
    with pytest.raises(ContractError, match="format 99, expected 1"):
        read_state(path)
    (path / "state.json").write_text("{")
    with pytest.raises(ContractError, match="no checkpoint there"):
        read_state(path)


def test_another_run_is_refused_with_both_sides(tmp_path: Path) -> None:
    expected = {"manifest": "b", "model": {"width": 8}}

    with pytest.raises(ContractError, match='manifest is "a" in the checkpoint, "b" here'):
        refuse_other_run(tmp_path, STATE, expected)

    (allowed,) = refuse_other_run(tmp_path, STATE, expected, accepted=["manifest"])
    assert allowed.startswith("manifest is")


def test_only_what_can_change_bits_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "3")
    monkeypatch.setitem(os.environ, "A_SECRET", "x")
    now = environment_lock()

    assert now["variables"]["OMP_NUM_THREADS"] == "3"
    assert "A_SECRET" not in now["variables"]
    before = {
        **now,
        "threads": 99,
        "commit": "other",
        "packages": {**now["packages"], "torch": "0"},
    }
    assert changed_environment(now, now) == []
    threads, torch_line = changed_environment(before, now)
    assert threads == f"threads: 99 -> {now['threads']}"
    assert torch_line.startswith("torch: 0 -> ")
