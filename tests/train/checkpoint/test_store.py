"""Checkpoints of one process: whole or not there, found again, retired by rule."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from schemas.errors import ContractError, PipelineError
from train.checkpoint import storage
from train.checkpoint.config import CheckpointConfig
from train.checkpoint.environment import changed_environment, environment_lock
from train.checkpoint.index import CheckpointDamageError
from train.checkpoint.pointer import find_checkpoint, latest_checkpoint, step_of, whole_checkpoints
from train.checkpoint.state_file import is_whole, read_state, refuse_other_run, verify_checkpoint
from train.checkpoint.store import CheckpointStore, load_tensors
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


def test_a_tensor_that_is_not_there_and_another_format_are_named(tmp_path: Path) -> None:
    path = store(tmp_path, asynchronous=False).save(1, {"w": torch.zeros(2)}, STATE)

    with pytest.raises(ContractError, match=r"weights cannot be loaded.*other"):
        load_tensors(path, {"other": torch.zeros(2)}, world_size=1)
    (path / "state.json").write_text(json.dumps({"format_version": 99}))
    with pytest.raises(ContractError, match="format 99, expected 2"):
        read_state(path)


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0x40
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a bit of the weights": (
        lambda path: flip(path / "weights" / "__0_0.distcp", numbers_at(path)),
        "__0_0.distcp: damaged: model.w does not have SHA-256",
    ),
    "the end of the weights": (
        lambda path: cut(path / "weights" / "__0_0.distcp"),
        "__0_0.distcp: damaged: has .* bytes, expected",
    ),
    "a file of weights": (
        lambda path: (path / "weights" / "__0_0.distcp").unlink(),
        "__0_0.distcp: missing, or no plain file",
    ),
    "a bit of the index": (
        lambda path: flip(path / "weights" / "index.json", 30),
        "index.json: damaged: has SHA-256",
    ),
    "the index": (
        lambda path: (path / "weights" / "index.json").unlink(),
        "index.json: cannot be read",
    ),
    "the end of the state": (lambda path: cut(path / "state.json"), "state.json: damaged"),
    "a number of the state": (
        lambda path: replace(path / "state.json", '"width": 8', '"width": 9'),
        "state.json: damaged: its SHA-256 is not the one that it holds",
    ),
}


def replace(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def numbers_at(path: Path) -> int:
    index = json.loads((path / "weights" / "index.json").read_text())
    return int(index["tensors"]["model.w"]["chunks"][0]["start"]) + 5


@pytest.mark.parametrize("what", DAMAGES)
def test_damage_is_named_when_loaded_and_when_verified(tmp_path: Path, what: str) -> None:
    path = store(tmp_path, asynchronous=False).save(1, {"model": {"w": torch.ones(9)}}, STATE)
    verify_checkpoint(path)
    damage, message = DAMAGES[what]

    damage(path)

    with pytest.raises(CheckpointDamageError, match=message) as loading:
        load_tensors(path, {"model": {"w": torch.zeros(9)}}, world_size=1)
    assert loading.value.checkpoint == path
    with pytest.raises(CheckpointDamageError, match=message):
        verify_checkpoint(path)
    assert not is_whole(path)


def test_a_rank_verifies_its_share(tmp_path: Path) -> None:
    tensors = {"model": {"v": torch.ones(3), "w": torch.ones(9)}}
    path = store(tmp_path, asynchronous=False).save(1, tensors, STATE)

    flip(path / "weights" / "__0_0.distcp", numbers_at(path))

    verify_checkpoint(path, share=(0, 2))  # v
    with pytest.raises(CheckpointDamageError, match=r"model\.w"):
        verify_checkpoint(path, share=(1, 2))


def test_tools_of_torch_can_open_a_checkpoint(tmp_path: Path) -> None:
    from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

    tensors = {"model": {"w": torch.arange(6.0).reshape(2, 3).t()}}
    path = store(tmp_path / "run", asynchronous=False).save(1, tensors, STATE)

    dcp_to_torch_save(path / "weights", tmp_path / "whole.pt")

    whole = torch.load(tmp_path / "whole.pt", weights_only=True)
    assert whole["model"]["w"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_every_kind_of_tensor_is_loaded_as_it_was(tmp_path: Path) -> None:
    tensors = {
        "transposed": torch.arange(6.0).reshape(2, 3).t(),
        "view": torch.arange(100.0)[10:20],
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(7.0),
        "bf16": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "int64": torch.tensor([1 << 60]),
        "bool": torch.tensor([True, False]),
    }
    path = store(tmp_path, asynchronous=False).save(1, tensors, STATE)
    into = {name: torch.zeros_like(value) for name, value in tensors.items()}

    load_tensors(path, into, world_size=1)

    assert all(torch.equal(into[name], value) for name, value in tensors.items())


class FullDisk:
    """Stands in for the write of a file on a full disk, while it is full."""

    def __init__(self) -> None:
        self.is_full = True
        self.write = io.FileIO.write

    def __call__(self, file: io.FileIO, data: Any) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.write(file, data)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_run_goes_on_where_a_full_disk_has_room_again(
    tmp_path: Path,
    asynchronous: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    saved = store(tmp_path, asynchronous=asynchronous, max_failed_saves=2)
    saved.save(1, {"w": torch.zeros(2)}, STATE)
    saved.finish()
    disk = FullDisk()
    monkeypatch.setattr(storage._WholeWrites, "write", lambda file, data: disk(file, data))

    saved.save(2, {"w": torch.ones(2)}, STATE)
    saved.finish()
    disk.is_full = False
    saved.save(3, {"w": torch.ones(2)}, STATE)
    saved.finish()

    assert steps(tmp_path) == [1, 3]
    assert is_whole(tmp_path / "step-00000003")
    (warning,) = (one.message for one in caplog.records if one.name == "train.checkpoint.store")
    assert "step-00000002: the checkpoint could not be written: No space left" in warning
    assert "the last good one is" in warning
    assert "step-00000001;" in warning
    assert not list(tmp_path.glob("*.incomplete"))


def test_a_run_ends_after_as_many_failures_as_the_recipe_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = store(tmp_path, asynchronous=False, max_failed_saves=2)
    saved.save(1, {"w": torch.zeros(2)}, STATE)
    disk = FullDisk()
    monkeypatch.setattr(storage._WholeWrites, "write", lambda file, data: disk(file, data))

    saved.save(2, {"w": torch.ones(2)}, STATE)
    with pytest.raises(PipelineError, match="2 saves in a row failed") as ending:
        saved.save(3, {"w": torch.ones(2)}, STATE)

    assert ending.value.exit_code == 1
    assert saved.latest() == tmp_path / "step-00000001"
    assert is_whole(tmp_path / "step-00000001")


def test_what_a_branch_left_behind_does_not_push_out_what_is_trained(tmp_path: Path) -> None:
    first = store(tmp_path, asynchronous=False, keep_last=2)
    for step in (10, 20, 30):
        first.save(step, {"w": torch.zeros(1)}, STATE)
    # Back to step 20, as a rewinding does it: 30 is left behind, though its number is the highest.
    (tmp_path / "latest").write_text("step-00000020\n")
    second = store(tmp_path, asynchronous=False, keep_last=2)
    second.branch.begin(tmp_path / "step-00000020")

    second.save(22, {"w": torch.zeros(1)}, STATE)
    assert steps(tmp_path) == [20, 22, 30]
    second.save(24, {"w": torch.zeros(1)}, STATE)
    assert steps(tmp_path) == [22, 24]

    assert second.latest() == tmp_path / "step-00000024"


def test_another_run_is_refused_with_both_sides(tmp_path: Path) -> None:
    expected = {"manifest": "b", "model": {"width": 8}}

    with pytest.raises(ContractError, match='manifest is "a" in the checkpoint, "b" here'):
        refuse_other_run(tmp_path, STATE, expected)

    (allowed,) = refuse_other_run(tmp_path, STATE, expected, accepted=["manifest"])
    assert allowed.startswith("manifest is")


def test_the_setting_that_differs_is_named_and_how_to_accept_it(tmp_path: Path) -> None:
    saved = {"optimizer": {"name": "adamw", "betas": [0.9, 0.95]}, "model": {"width": 8}}
    state = {"identity": saved, "settings": {}}
    expected = {"optimizer": {"name": "lion", "betas": [0.9, 0.95]}, "model": {"width": 8}}

    with pytest.raises(ContractError) as refusal:
        refuse_other_run(tmp_path, state, expected)

    assert str(refusal.value) == (
        f'{tmp_path}: is of another run: optimizer.name is "adamw" in the checkpoint, "lion" here '
        "(to go on with the change: --set checkpoint.accept_changes='[optimizer]')"
    )
    with pytest.raises(ContractError) as refusal:
        refuse_other_run(tmp_path, state, {**expected, "model": {"width": 16}})
    assert "model.width is 8 in the checkpoint, 16 here" in str(refusal.value)
    assert "accept_changes" not in str(refusal.value)


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
