"""Branches of a run, the tree of its checkpoints, replays that compare bits."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from schemas.errors import ContractError, SettingsError
from tests.support.datasets import write_dataset
from train.commands import audit, diff_env, resume, tree
from train.distributed.world import World
from train.loop.audit import chosen_steps, differing_tensors
from train.loop.replay import open_replay
from train.loop.run import pretrain
from train.report.course import course_section
from train.report.events import read_events
from train.report.run_files import read_metrics
from train.settings import TrainSettings, load_train_settings

ALONE = World(rank=0, size=1, device=torch.device("cpu"))


def make_run(folder: Path) -> Path:
    """A run of 8 steps with a checkpoint at each second one; its recipe."""
    recipe = {
        "manifest": str(write_dataset(folder / "data").parent),
        "output": str(folder / "run"),
        "model": {"preset": "gpt2-test", "dropout": 0.1},
        "batch": {"sequences": 4, "microbatch": 2},
        "stop": {"steps": 8},
        "schedule": {"peak_lr": 0.01, "warmup": 2},
        "checkpoint": {"every_steps": 2, "keep_last": 20, "export": False},
        "metrics": {"tensorboard": False},
        "evaluation": None,
        "threads": 1,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    pretrain(TrainSettings.model_validate(recipe))
    return path


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run"))


def parsed(module: Any, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser.parse_args(arguments)


def losses(run: Path) -> dict[int, float]:
    return {record["step"]: record["loss"] for record in read_metrics(run / "metrics.jsonl")}


def test_a_branch_without_changes_ends_as_the_run_and_one_with_changes_does_not(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recipe.parent / "run"
    same, other = tmp_path / "same", tmp_path / "other"

    resume.run(parsed(resume, str(run), "--at-step", "4", "--output", str(same)))
    changed = ["--at-step", "4", "--output", str(other), "--set", "schedule.peak_lr=0.001"]
    resume.run(parsed(resume, str(run), *changed))

    expected = {step: loss for step, loss in losses(run).items() if step >= 4}
    assert losses(same) == expected
    assert losses(other)[4] == expected[4]  # before the first update at another rate
    assert losses(other)[7] != expected[7]
    branch = next(one for one in read_events(other / "events.jsonl") if one["kind"] == "branch")
    assert branch["changes"] == ["schedule.peak_lr: 0.01 -> 0.001"]
    assert "changed: schedule.peak_lr: 0.01 -&gt; 0.001; from " in course_section(other)
    capsys.readouterr()
    tree.run(parsed(tree, str(run)))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == str(run)
    assert lines[1:4] == ["step-00000002", "step-00000004", str(same)]
    assert lines.index(str(same)) < lines.index(str(other))
    assert "step-00000008  <- goes on from here" in lines


def test_a_branch_where_no_checkpoint_is_or_into_a_full_folder_is_refused(
    recipe: Path, tmp_path: Path
) -> None:
    run = recipe.parent / "run"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()

    with pytest.raises(ContractError, match="no checkpoint of step 3; there are: 2, 4, 6, 8"):
        resume.make_branch(run, tmp_path / "branch", step=3, overrides=[])
    with pytest.raises(SettingsError, match="is not empty; give another --output"):
        resume.make_branch(run, tmp_path / "full", step=4, overrides=[])
    with pytest.raises(SettingsError, match=r"schedule\.paek_lr"):
        resume.make_branch(run, tmp_path / "branch", step=4, overrides=["schedule.paek_lr=1"])
    assert not (tmp_path / "branch").exists()


def test_replayed_steps_are_equal_bit_for_bit(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.run(parsed(audit, "--recipe", str(recipe), "--steps", "5")) == 0

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["step"] for one in found] == chosen_steps(2, 8, count=5, seed=1)
    assert all(one["differences"] == [] for one in found)


def test_a_step_that_gives_other_bits_than_were_written_is_named(tmp_path: Path) -> None:
    recipe = make_run(tmp_path)
    path = tmp_path / "run" / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[5]["loss"] += 1e-7
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    with pytest.raises(ContractError, match="1 replayed steps differ, the first is step 5: loss"):
        audit.run(parsed(audit, "--recipe", str(recipe), "--steps", "9"))
    assert read_events(tmp_path / "run" / "events.jsonl")[-1]["kind"] == "audit"


def test_a_flipped_bit_in_a_weight_is_found_against_the_checkpoint(recipe: Path) -> None:
    with open_replay(load_train_settings(recipe), ALONE) as replay:
        path = replay.go_to(6)
        assert differing_tensors(path, replay) == []
        weight = replay.run.trainer.strategy.parts[0].get_parameter("final_norm.weight")
        with torch.no_grad():
            weight.view(torch.int32)[0] ^= 1

        assert differing_tensors(path, replay) == [
            "final_norm.weight has other bits than in step-00000006"
        ]


def test_environments_are_compared_by_what_can_change_bits_commit_and_variables() -> None:
    before = {
        "threads": 1, "python": "3.11", "machine": "m", "cpu": "c", "cpu_model": "x",
        "accelerator": None, "cuda": None, "packages": {"torch": "1", "b": "2"}, "plugins": {},
        "commit": "a", "variables": {"OMP_NUM_THREADS": "1"},
    }  # fmt: skip
    now = {
        **before,
        "threads": 2,
        "packages": {"torch": "2", "b": "2"},
        "commit": "b",
        "variables": {},
    }

    assert diff_env.differences(before, before) == []
    assert diff_env.differences(before, now) == [
        "threads: 1 -> 2",
        "torch: 1 -> 2",
        "commit: a -> b",
        "variable OMP_NUM_THREADS: 1 -> None",
    ]


def test_a_run_and_its_checkpoint_have_one_environment(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recipe.parent / "run"

    diff_env.run(parsed(diff_env, str(run), str(run / "checkpoints" / "step-00000002")))

    assert capsys.readouterr().out == ""
