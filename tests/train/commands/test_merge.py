"""Averages of checkpoints, and cool-downs that branch from one trunk."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from schemas.errors import ContractError, SettingsError
from tests.support.datasets import write_dataset
from tests.support.trunks import make_trunk
from train.__main__ import main
from train.checkpoint.index import WEIGHTS_NAME, read_index
from train.checkpoint.merge import Average, chosen_checkpoints, merge_checkpoints
from train.checkpoint.pointer import find_checkpoint, step_of
from train.checkpoint.state_file import index_sha256, read_state, verify_checkpoint
from train.checkpoint.store import load_tensors
from train.commands import merge
from train.commands.resume import cooldown, make_branch, share
from train.generation.open_model import open_weights
from train.loop.run import pretrain
from train.report.run_files import read_metrics


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trunk")
    return make_trunk(folder, write_dataset(folder / "data").parent)


def tensors(checkpoint: Path) -> dict[str, torch.Tensor]:
    index = read_index(checkpoint / WEIGHTS_NAME, sha256=index_sha256(checkpoint))
    found = {name: torch.empty(one.size) for name, one in index.tensors.items()}
    load_tensors(checkpoint, found, world_size=1)
    return found


def at(run: Path, step: int) -> Path:
    return run / "checkpoints" / f"step-{step:08d}"


def test_a_uniform_average_is_the_mean_of_weights_and_keeps_the_newest_optimizer(
    trunk: Path, tmp_path: Path
) -> None:
    written = merge_checkpoints(trunk, tmp_path / "mean", Average(last=3))

    verify_checkpoint(written)
    merged, *known = (tensors(path) for path in (written, *(at(trunk, n) for n in (4, 6, 8))))
    assert merged.keys() == known[-1].keys()
    for name, value in merged.items():
        if name.startswith("model."):
            expected = torch.stack([one[name].double() for one in known]).mean(0).float()
            assert torch.allclose(value, expected, atol=1e-8)
        else:
            assert torch.equal(value, known[-1][name])
    assert not torch.equal(merged["model.embedding.weight"], known[-1]["model.embedding.weight"])


def test_an_ema_weighs_older_checkpoints_less() -> None:
    weights = Average(last=3, method="ema", decay=0.5).weights()

    assert weights == pytest.approx([1 / 7, 2 / 7, 4 / 7])


def test_an_average_opens_exports_and_says_where_it_comes_from(
    trunk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "ema"

    code = main(
        ["merge", str(trunk), "--last", "2", "--method", "ema", "--decay", "0.25", "--output", str(output)]
    )  # fmt: skip

    assert code == 0
    assert "step          6  weight 0.2000" in capsys.readouterr().out
    checkpoint = find_checkpoint(output)
    merged = read_state(checkpoint)["merged"]
    assert [one["step"] for one in merged["checkpoints"]] == [6, 8]
    assert merged["method"] == "ema"
    opened = open_weights(output).model.state_dict()["embedding.weight"]
    assert torch.equal(opened, tensors(checkpoint)["model.embedding.weight"])
    assert yaml.safe_load((output / "settings.yaml").read_text())["output"] == str(output)


def test_an_average_can_be_trained_on_as_a_branch(trunk: Path, tmp_path: Path) -> None:
    main(["merge", str(trunk), "--last", "2", "--output", str(tmp_path / "mean")])
    overrides = cooldown(tmp_path / "mean", step=8, share=0.5)

    settings = make_branch(tmp_path / "mean", tmp_path / "more", step=8, overrides=overrides)
    pretrain(settings)

    assert step_of(find_checkpoint(tmp_path / "more")) == 12


def test_checkpoints_that_are_not_there_are_named(trunk: Path, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"4 checkpoints in a line \(steps 2, 4, 6, 8\)"):
        merge_checkpoints(trunk, tmp_path / "mean", Average(last=5))
    assert not (tmp_path / "mean").exists()


def test_a_checkpoint_that_the_run_left_behind_is_none_of_its_last(
    trunk: Path, tmp_path: Path
) -> None:
    """A run that goes back from step 8 to 4 and on has no 6 and 8 of before in its line."""
    branch = tmp_path / "branch"
    pretrain(make_branch(trunk, branch, step=4, overrides=["stop={steps: 6}"]))

    assert [step_of(path) for path in chosen_checkpoints(branch, 2)] == [4, 6]
    with pytest.raises(ContractError, match="asked for the last 3"):
        chosen_checkpoints(branch, 3)


def test_a_damaged_checkpoint_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    run = make_trunk(tmp_path, write_dataset(tmp_path / "data").parent, stop={"steps": 4})
    weights = at(run, 2) / WEIGHTS_NAME
    index = read_index(weights, sha256=index_sha256(at(run, 2)))
    chunk = index.tensors["model.embedding.weight"].chunks[0]
    file = weights / chunk.file
    data = bytearray(file.read_bytes())
    data[chunk.start] ^= 1
    file.write_bytes(data)

    with pytest.raises(ContractError, match="damaged"):
        merge_checkpoints(run, tmp_path / "mean", Average(last=2))
    assert not (tmp_path / "mean" / "checkpoints").exists()


@pytest.mark.parametrize("arguments", [{"last": 1}, {"last": 2, "decay": 1.0}])
def test_averages_of_one_or_with_a_decay_out_of_bounds_are_refused(arguments: Any) -> None:
    with pytest.raises(SettingsError):
        Average(**arguments)


def test_a_folder_that_is_taken_is_refused(trunk: Path) -> None:
    parser = argparse.ArgumentParser()
    merge.add_arguments(parser)
    arguments = parser.parse_args([str(trunk), "--last", "2", "--output", str(trunk)])

    with pytest.raises(SettingsError, match="is not empty"):
        merge.run(arguments)


def test_two_cooldowns_of_one_trunk_fall_from_its_peak_to_the_floor(
    trunk: Path, tmp_path: Path
) -> None:
    rates = {}
    for step in (4, 8):
        overrides = [*cooldown(trunk, step=step, share=0.5), "schedule.min_lr=0.001"]
        pretrain(make_branch(trunk, tmp_path / str(step), step=step, overrides=overrides))
        records = read_metrics(tmp_path / str(step) / "metrics.jsonl")
        rates[step] = [record["lr"] for record in records if record["step"] >= step]

    assert rates[4] == pytest.approx([0.01, 0.0055])
    assert rates[8] == pytest.approx([0.01, 0.00775, 0.0055, 0.00325])


def test_a_trunk_whose_own_end_is_a_root_cools_down_by_a_root(trunk: Path, tmp_path: Path) -> None:
    settings = yaml.safe_load((trunk / "settings.yaml").read_text())
    settings["schedule"] |= {"lr_scheduler_type": "wsd_sqrt", "decay_fraction": 0.01}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))

    changes = cooldown(tmp_path, step=4, share=0.5)

    assert "schedule.lr_scheduler_type=wsd_sqrt" in changes


@pytest.mark.parametrize(
    ("schedule", "step", "message"),
    [
        ({"peak_lr": 0.01, "warmup": 2}, 4, "not linear_warmup_cosine_lr"),
        ({"lr_scheduler_type": "wsd", "peak_lr": 0.01, "warmup": 6, "decay_fraction": 0.1}, 4, "the trunk's peak 0.01"),
        ({"lr_scheduler_type": "wsd", "peak_lr": 0.01, "warmup": 1, "decay_fraction": 0.7}, 6, "before the trunk's own decay"),
    ],
)  # fmt: skip
def test_a_trunk_that_is_not_at_its_peak_cannot_cool_down(
    trunk: Path, tmp_path: Path, schedule: dict[str, Any], step: int, message: str
) -> None:
    settings = yaml.safe_load((trunk / "settings.yaml").read_text())
    settings["schedule"] = schedule
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))

    with pytest.raises(SettingsError, match=message):
        cooldown(tmp_path, step=step, share=0.5)


@pytest.mark.parametrize("text", ["0", "1.5", "x"])
def test_a_cooldown_is_a_share(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        share(text)


def test_the_resume_command_cools_down(trunk: Path, tmp_path: Path) -> None:
    output = tmp_path / "cooled"

    main(["resume", str(trunk), "--at-step", "8", "--cooldown", "0.25", "--output", str(output)])

    assert step_of(find_checkpoint(output)) == 10
    events = [json.loads(line) for line in (output / "events.jsonl").read_text().splitlines()]
    assert any(event["kind"] == "branch" for event in events)
