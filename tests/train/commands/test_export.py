"""Any checkpoint as a Hugging Face folder."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from schemas.errors import ContractError, SettingsError
from tests.support.extended import write_two_datasets
from train.commands import export, pretrain
from train.data.remote import ShardFiles, local_tokenizer
from train.generation.export import export_model


def call(verb: Any, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    code: int = verb.run(parser.parse_args(arguments))
    return code


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four steps with a checkpoint after every second."""
    root = tmp_path_factory.mktemp("run")
    data = write_two_datasets(root)
    (data.base / "tokenizer" / "chat").mkdir()
    (data.base / "tokenizer" / "chat" / "default.jinja").write_text("{{ text }}")
    recipe: dict[str, Any] = {
        "manifest": str(data.base), "output": str(root / "run"), "threads": 1,
        "model": {"preset": "gpt2-test"}, "batch": {"sequences": 4, "microbatch": 4},
        "stop": {"steps": 4}, "checkpoint": {"every_steps": 2, "keep_last": 9},
    }  # fmt: skip
    (root / "r.yaml").write_text(yaml.safe_dump(recipe))
    call(pretrain, "--recipe", str(root / "r.yaml"))
    return root


def test_a_checkpoint_in_bf16_loads_in_transformers(folder: Path, tmp_path: Path) -> None:
    last = folder / "run" / "checkpoints" / "step-00000004"
    out = tmp_path / "out"

    assert call(export, str(last), "--out", str(out), "--dtype", "bf16") == 0

    whole = load_file(folder / "run" / "export" / "model.safetensors")
    short = load_file(out / "model.safetensors")
    assert {value.dtype for value in short.values()} == {torch.bfloat16}
    assert all(torch.equal(short[name], value.bfloat16()) for name, value in whole.items())
    assert json.loads((out / "config.json").read_text())["torch_dtype"] == "bfloat16"
    assert AutoModelForCausalLM.from_pretrained(out).dtype == torch.bfloat16
    assert len(AutoTokenizer.from_pretrained(out)) > 0
    assert (out / "chat" / "default.jinja").read_text() == "{{ text }}"


def test_an_earlier_checkpoint_is_another_model(folder: Path, tmp_path: Path) -> None:
    call(
        export, str(folder / "run" / "checkpoints" / "step-00000002"), "--out", str(tmp_path / "a")
    )
    call(export, str(folder / "run"), "--out", str(tmp_path / "b"))

    early, late = (load_file(tmp_path / name / "model.safetensors") for name in "ab")
    last = load_file(folder / "run" / "export" / "model.safetensors")
    assert all(torch.equal(late[name], value) for name, value in last.items())
    assert not torch.equal(early["transformer.wte.weight"], last["transformer.wte.weight"])


def test_an_export_is_exported_again_in_another_type(folder: Path, tmp_path: Path) -> None:
    call(export, str(folder / "run" / "export"), "--out", str(tmp_path / "a"), "--dtype", "fp16")

    config = json.loads((tmp_path / "a" / "config.json").read_text())
    own = json.loads((folder / "run" / "export" / "config.json").read_text())
    assert config == {**own, "torch_dtype": "float16"}


def test_a_weight_beyond_fp16_is_named(folder: Path, tmp_path: Path) -> None:
    large = tmp_path / "large"
    shutil.copytree(folder / "run" / "export", large)
    tensors = load_file(large / "model.safetensors")
    tensors["transformer.ln_f.weight"][0] = 1e6
    save_file(tensors, large / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ContractError, match=r"final_norm.weight has values that fp16 cannot hold"):
        export_model(large, tmp_path / "out", dtype="fp16")


def test_a_folder_that_is_there_is_not_written_over(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "kept").write_text("x")

    with pytest.raises(SettingsError, match="is there already"):
        call(export, str(folder / "run"), "--out", str(tmp_path / "a"))


def test_a_manifest_without_its_tokenizer_is_told(tmp_path: Path) -> None:
    data = write_two_datasets(tmp_path)
    (data.base / "tokenizer").rename(tmp_path / "elsewhere")

    with pytest.raises(ContractError, match="tokenizer: the manifest's tokenizer is not there"):
        local_tokenizer(ShardFiles(str(data.base)))
