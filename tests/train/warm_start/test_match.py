"""Weights that do not fit are refused with both sides; those that do are taken whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from schemas.errors import ContractError, SettingsError
from schemas.manifest import SpecialIds
from train.exchange.folder import WEIGHTS, export_folder
from train.model.presets import resolve_model
from train.model.transformer import build_model
from train.warm_start.match import our_weights
from train.warm_start.source import State, find_source, read_weights


def _folder(path: Path, preset: str) -> State:
    config = resolve_model({"preset": preset}, vocab_size=50, seq_len=16)
    state = dict(build_model(config, seed=4).state_dict())
    export_folder(path, state, config, SpecialIds(pad=0, eos=1), None)
    return state


def _changed(path: Path, change: Callable[[State], None]) -> None:
    state = load_file(path / WEIGHTS)
    change(state)
    save_file(state, path / WEIGHTS)


def _load(path: Path) -> tuple[State, list[str]]:
    source = find_source(str(path))
    assert source is not None
    return our_weights(source, read_weights(source), seed=0)


@pytest.mark.parametrize("preset", ["gpt2-test", "llama-test", "t5-test", "bert-test"])
def test_all_tensors_come_back(preset: str, tmp_path: Path) -> None:
    state = _folder(tmp_path, preset)

    found, fresh = _load(tmp_path)

    assert fresh == []
    assert all(torch.equal(found[name], value) for name, value in state.items())


def test_missing_extra_and_misshapen_tensors_are_named_with_both_sides(tmp_path: Path) -> None:
    _folder(tmp_path, "llama-test")

    def change(state: State) -> None:
        del state["model.layers.1.mlp.up_proj.weight"]
        state["adapter.weight"] = torch.zeros(3)
        state["lm_head.weight"] = torch.zeros(49, 32)

    _changed(tmp_path, change)

    with pytest.raises(ContractError) as caught:
        _load(tmp_path)

    message = str(caught.value)
    assert "model.layers.1.mlp.up_proj.weight: found none, expected [64, 32]" in message
    assert "adapter.weight: found [3], expected none" in message
    assert "lm_head.weight: found [49, 32], expected [50, 32]" in message


def test_a_bare_bert_begins_its_heads_anew(tmp_path: Path) -> None:
    state = _folder(tmp_path, "bert-test")

    def bare(found: State) -> None:
        for name in [n for n in found if n.startswith("cls.")]:
            del found[name]
        for name in list(found):
            found[name.removeprefix("bert.")] = found.pop(name)

    _changed(tmp_path, bare)

    found, fresh = _load(tmp_path)

    assert "head_bias" in fresh
    assert "pair_head.weight" in fresh
    assert "pooler.weight" not in fresh
    assert torch.equal(found["embedding.weight"], state["embedding.weight"])


def test_weights_in_several_files_are_joined(tmp_path: Path) -> None:
    state = _folder(tmp_path, "gpt2-test")
    whole = load_file(tmp_path / WEIGHTS)
    (tmp_path / WEIGHTS).unlink()
    names = sorted(whole)
    files = {name: f"model-{n % 2}.safetensors" for n, name in enumerate(names)}
    for file in set(files.values()):
        save_file({n: whole[n] for n in names if files[n] == file}, tmp_path / file)
    index = '{"weight_map": {' + ", ".join(f'"{n}": "{f}"' for n, f in files.items()) + "}}"
    (tmp_path / "model.safetensors.index.json").write_text(index)

    found, _ = _load(tmp_path)

    assert all(torch.equal(found[name], value) for name, value in state.items())


def test_pickles_and_unknown_names_are_refused(tmp_path: Path) -> None:
    _folder(tmp_path, "gpt2-test")
    (tmp_path / WEIGHTS).rename(tmp_path / "pytorch_model.bin")

    with pytest.raises(ContractError, match="is a pickle, which is never read"):
        _load(tmp_path)
    with pytest.raises(SettingsError, match="neither a folder nor a preset; did you mean"):
        find_source("gpt2-smal1")
