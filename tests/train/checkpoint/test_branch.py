"""The checkpoints that a run came through, by the parents that they name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from train.checkpoint import durable
from train.checkpoint.branch import Branch, ancestry
from train.checkpoint.config import CheckpointConfig


def checkpoint(folder: Path, step: int, **state: object) -> Path:
    path = folder / f"step-{step:08d}"
    path.mkdir(parents=True)
    (path / "state.json").write_text(json.dumps(state))
    return path


def name(step: int) -> str:
    return f"step-{step:08d}"


def test_ancestry_follows_the_parents_and_not_the_steps(tmp_path: Path) -> None:
    first = checkpoint(tmp_path, 10, parent=None)
    checkpoint(tmp_path, 20, parent=name(10))
    last = checkpoint(tmp_path, 15, parent=name(10))

    assert ancestry(last) == [last, first]


def test_without_parents_the_lower_steps_are_the_ancestry(tmp_path: Path) -> None:
    first, last = checkpoint(tmp_path, 10), checkpoint(tmp_path, 20)
    checkpoint(tmp_path, 30)

    assert ancestry(last) == [last, first]


@pytest.mark.parametrize("parent", [name(10), "../elsewhere", 5])
def test_a_parent_that_is_the_checkpoint_itself_or_not_there_ends_the_ancestry(
    tmp_path: Path, parent: object
) -> None:
    only = checkpoint(tmp_path, 10, parent=parent)

    assert ancestry(only) == [only]


def test_multiples_stay_also_of_a_branch_that_was_left(tmp_path: Path) -> None:
    checkpoint(tmp_path, 10, parent=None)
    checkpoint(tmp_path, 20, parent=name(10))
    checkpoint(tmp_path, 25, parent=name(20))
    checkpoint(tmp_path, 15, parent=name(10))
    branch = Branch(tmp_path)
    branch.begin(tmp_path / name(10))

    branch.grow(name(15))
    branch.retire(CheckpointConfig(keep_last=1, keep_every_steps=20))

    assert branch.newest == name(15)
    assert sorted(path.name for path in tmp_path.iterdir()) == [name(15), name(20)]


def test_a_text_is_replaced_at_once(tmp_path: Path) -> None:
    path = tmp_path / "latest"
    durable.write_durably(path, "old")

    durable.replace_text(path, "new")

    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
