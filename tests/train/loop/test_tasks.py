"""Tasks while a model trains: at checkpoints, at the end, and found again."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
import yaml

from schemas.errors import SettingsError
from tests.support.extended import write_two_datasets
from tests.support.ranks import run_on_ranks
from train.commands import evaluate
from train.distributed.world import World
from train.evaluation.config import ProbeName, TasksConfig
from train.evaluation.open_scorer import weights_hash
from train.evaluation.open_tasks import TaskRequest, open_tasks
from train.evaluation.probes import probe_checkpoint
from train.evaluation.run_task import TaskChoice
from train.evaluation.stored import StoredEvaluation
from train.loop.run import pretrain
from train.loop.tasks import TASKS_NAME
from train.settings import TrainSettings, load_train_settings


def recipe(root: Path, **tasks: Any) -> TrainSettings:
    plain: dict[str, Any] = {
        "manifest": str(root / "base"), "output": str(root / "run"), "threads": 1,
        "model": {"preset": "gpt2-test"}, "objective": {"name": "causal"},
        "batch": {"sequences": 4, "microbatch": 4}, "stop": {"steps": 4},
        "checkpoint": {"every_steps": 2}, "metrics": {"tensorboard": False},
        "evaluation": {"microbatch": 4, "tasks": tasks},
    }  # fmt: skip
    (root / "r.yaml").write_text(yaml.safe_dump(plain))
    return load_train_settings(root / "r.yaml")


def quiz(path: Path, count: int) -> str:
    items = [{"question": f"t{n} t{n + 1}", "choices": ["t5 t6", "t9"], "answer": n % 2}
             for n in range(5, 5 + count)]  # fmt: skip
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return str(path)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four steps with two tasks."""
    root = tmp_path_factory.mktemp("tasks")
    write_two_datasets(root)
    often, once = quiz(root / "often.jsonl", 4), quiz(root / "once.jsonl", 7)
    settings = recipe(
        root, at_checkpoints=[{"task": often, "limit": 3}], at_end=[{"task": once}]
    )  # fmt: skip
    pretrain(settings)
    return root


def test_tasks_are_scored_at_checkpoints_and_all_of_them_at_the_end(root: Path) -> None:
    by_step = lines(root / "run" / "tasks.jsonl")

    assert [(line["step"], [task["name"] for task in line["tasks"]]) for line in by_step] == [
        (2, ["often"]), (4, ["often", "once"]),
    ]  # fmt: skip
    assert [task["items"] for task in by_step[1]["tasks"]] == [3, 7]
    records = {one["step"]: one.get("tasks") for one in lines(root / "run" / "metrics.jsonl")}
    assert set(records[1]) == {"often"}
    assert set(records[3]) == {"often", "once"}
    assert (records[0], records[2]) == (None, None)
    found = by_step[1]["tasks"][1]["metrics"]
    assert records[3]["once"]["acc"] == pytest.approx(found["acc"]["value"], abs=1e-6)


def command(root: Path, output: Path) -> None:
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    tasks = str(root / "once.jsonl")
    asked = ["--model", str(root / "run"), "--tasks", tasks, "--output", str(output)]
    assert evaluate.run(parser.parse_args(asked)) == 0


@pytest.mark.distributed
def test_ranks_write_the_items_of_one_process_to_the_bit(root: Path, tmp_path: Path) -> None:
    run_on_ranks(command, 2, root, tmp_path / "e.json")

    (task,) = json.loads((tmp_path / "e.json").read_text())["tasks"]
    at_end = lines(root / "run" / "tasks.jsonl")[-1]["tasks"][1]
    items = (tmp_path / "e" / task["items_file"]).read_text()
    assert items == (root / "run" / "evaluation" / at_end["items_file"]).read_text()


def test_the_figures_are_those_of_the_command(root: Path, tmp_path: Path) -> None:
    command(root, tmp_path / "e.json")

    (task,) = json.loads((tmp_path / "e.json").read_text())["tasks"]
    at_end = lines(root / "run" / "tasks.jsonl")[-1]["tasks"][1]
    assert task["metrics"] == at_end["metrics"]
    items = (tmp_path / "e" / task["items_file"]).read_text()
    assert items == (root / "run" / "evaluation" / at_end["items_file"]).read_text()


def test_a_resumed_run_scores_what_its_checkpoint_lacks_and_nothing_twice(root: Path) -> None:
    folder, by_step = root / "run" / "evaluation", root / "run" / "tasks.jsonl"
    before, times = by_step.read_text(), {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    (root / "run" / "end.json").unlink()
    by_step.unlink()

    pretrain(load_train_settings(root / "r.yaml"))

    assert lines(by_step) == [json.loads(before.splitlines()[1])]
    assert {p: p.stat().st_mtime_ns for p in folder.iterdir()} == times


def test_a_task_that_is_not_there_ends_the_run_before_its_first_step(tmp_path: Path) -> None:
    write_two_datasets(tmp_path)

    with pytest.raises(SettingsError, match="no such task; did you mean 'blimp'"):
        pretrain(recipe(tmp_path, at_checkpoints=[{"task": "blmp"}]))

    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_answers_are_written_and_judged(root: Path, tmp_path: Path) -> None:
    (tmp_path / "w.jsonl").write_text('{"q": "t5 t6", "a": "t7"}\n{"q": "t8", "a": "t9"}\n')
    task = {
        "name": "w", "kind": "generation", "language": "en", "source": "us", "data": {"path": "w.jsonl"},
        "prompt": "{q}", "reference": "{a}", "metrics": ["f1", "chrf", "pass_at_k"], "max_new_tokens": 3,
        "program": "print('{a}')\n",
    }  # fmt: skip
    (tmp_path / "w.yaml").write_text(yaml.safe_dump(task))
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    asked = ["--model", str(root / "run"), "--tasks", str(tmp_path / "w.yaml"),
             "--output", str(tmp_path / "e.json")]  # fmt: skip

    assert evaluate.run(parser.parse_args(asked)) == 0

    (found,) = json.loads((tmp_path / "e.json").read_text())["tasks"]
    assert found["metrics"]["pass_at_1"]["value"] == 1.0
    assert found["metrics"]["chrf"]["signature"].startswith("nrefs:1")
    assert found["metrics"]["bits_per_byte"]["value"] > 0
    items = lines(tmp_path / "e" / found["items_file"])
    assert [item["outcome"] for item in items] == ["ok", "ok"]
    assert all(0 < len(item["text"].split()) <= 3 for item in items)


def test_weights_are_opened_only_for_what_is_missing(root: Path) -> None:
    ((loaded, _),) = open_tasks(TaskRequest(names=[str(root / "once.jsonl")]))

    def never() -> NoReturn:
        raise AssertionError("the weights were opened")

    evaluation = StoredEvaluation(
        folder=root / "run" / "evaluation",
        identity=f"{weights_hash(root / 'run')[0]}, auto, nothing written",
        world=World(rank=0, size=1, device=torch.device("cpu")),
        open_scorer=never,
    )

    found = evaluation.of(loaded, TaskChoice())

    assert found == lines(root / "run" / TASKS_NAME)[-1]["tasks"][1]
    with pytest.raises(AssertionError, match="were opened"):
        evaluation.of(loaded, TaskChoice(limit=2))


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ({}, "give tasks in at_checkpoints, at_end or both"),
        ({"at_end": [{"task": "blimp"}, {"task": "blimp"}]}, "blimp is there twice"),
        ({"at_ends": [{"task": "blimp"}]}, "did you mean 'at_end'"),
        ({"at_end": [{"task": "blimp", "limits": 3}]}, "did you mean 'limit'"),
    ],
)
def test_settings_of_tasks_are_strict(tasks: dict[str, Any], message: str) -> None:
    from schemas.settings import parse_settings

    with pytest.raises(SettingsError, match=message):
        parse_settings(TasksConfig, tasks, where="tasks")


def test_probes_are_measured_at_checkpoints_and_kept(tmp_path: Path) -> None:
    write_two_datasets(tmp_path)
    settings = recipe(tmp_path, probes=["heldout", "copy"])

    pretrain(settings)

    by_step = lines(tmp_path / "run" / "tasks.jsonl")
    assert [line["step"] for line in by_step] == [2, 4]
    last = by_step[-1]["probes"]
    whole = json.loads((tmp_path / "run" / "evaluation.json").read_text("utf-8"))["heldout"]
    low, high = last["heldout"]["loss_interval"]
    assert low < last["heldout"]["loss"] < high
    # The run computes as it trains, in bf16 where the hardware has it; the checkpoint is read in fp32.
    assert last["heldout"]["loss"] == pytest.approx(whole["loss"], rel=1e-3)
    assert last["copy"]["saved"]["low"] <= last["copy"]["saved"]["value"]
    records = {one["step"]: one.get("probes") for one in lines(tmp_path / "run" / "metrics.jsonl")}
    assert records[3] == last
    assert records[0] is None
    checkpoint = tmp_path / "run" / "checkpoints" / "step-00000004"
    names: tuple[ProbeName, ...] = ("heldout", "copy")
    # Measured anew in another folder, and found again in the run's.
    for folder in (tmp_path / "other", tmp_path / "run" / "evaluation"):
        assert probe_checkpoint(checkpoint, names, folder, torch.device("cpu")) == last
