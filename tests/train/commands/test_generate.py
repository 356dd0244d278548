"""Text from a run, its checkpoint and its export."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pytest

from schemas.errors import ContractError
from tests.support.extended import write_two_datasets
from train.commands import generate
from train.loop.run import pretrain
from train.settings import TrainSettings


def _run(folder: Path, preset: str, objective: str) -> Path:
    data = write_two_datasets(folder)
    settings = {
        "manifest": str(data.base), "output": str(folder / "run"), "threads": 1,
        "model": {"preset": preset}, "objective": {"name": objective},
        "batch": {"sequences": 4, "microbatch": 4}, "stop": {"steps": 1},
    }  # fmt: skip
    pretrain(TrainSettings.model_validate(settings))
    return folder / "run"


def _written(
    capsys: pytest.CaptureFixture[str], model: Path, *arguments: str
) -> list[dict[str, str]]:
    parser = argparse.ArgumentParser()
    generate.add_arguments(parser)
    command = ["--model", str(model), "--prompt", "t5 t6 t7", "t9", "--max-new-tokens", "5"]
    capsys.readouterr()
    generate.run(parser.parse_args([*command, *arguments]))
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_run_its_checkpoint_and_its_export_write_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _run(tmp_path, "gpt2-test", "causal")

    expected = _written(capsys, run / "export")
    from_run = _written(capsys, run)
    shutil.rmtree(run / "export")  # the tokenizer is then that of the manifest
    from_checkpoint = _written(capsys, run)

    assert [line["prompt"] for line in expected] == ["t5 t6 t7", "t9"]
    assert expected == from_run == from_checkpoint
    assert all(len(line["text"].split()) <= 5 for line in expected)
    assert _written(capsys, run, "--beams", "2") != []


def test_a_tokenizer_of_another_size_is_refused(tmp_path: Path) -> None:
    run = _run(tmp_path, "gpt2-test", "causal")
    larger = tmp_path / "extended" / "tokenizer" / "tokenizer.json"
    shutil.copyfile(larger, run / "export" / "tokenizer.json")
    parser = argparse.ArgumentParser()
    generate.add_arguments(parser)

    with pytest.raises(ContractError, match=r"tokenizer has 111 ids, the model of .* 97 rows"):
        generate.run(parser.parse_args(["--model", str(run / "export"), "--prompt", "t5"]))
