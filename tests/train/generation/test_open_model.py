"""Folders that can write text, and those that cannot."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from schemas.errors import ContractError
from schemas.manifest import SpecialIds
from tests.support.extended import BASE_SIZE, write_two_datasets
from train.exchange.folder import export_folder
from train.generation.open_model import open_model
from train.model.presets import resolve_model
from train.model.transformer import build_model


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_two_datasets(tmp_path_factory.mktemp("data")).base / "tokenizer"


def exported(folder: Path, tokenizer: Path, preset: str = "gpt2-test", **fields: object) -> Path:
    config = resolve_model({"preset": preset, **fields}, vocab_size=BASE_SIZE, seq_len=16)
    state = dict(build_model(config, seed=3).state_dict())
    export_folder(folder, state, config, SpecialIds(pad=0, eos=5), tokenizer)
    return folder


def test_a_folder_gives_its_weights_and_its_special_tokens(tmp_path: Path, tokenizer: Path) -> None:
    folder = exported(tmp_path, tokenizer, "t5-test")
    expected = build_model(
        resolve_model({"preset": "t5-test"}, vocab_size=BASE_SIZE, seq_len=16), seed=3
    )

    opened = open_model(folder)

    weights = opened.model.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in expected.state_dict().items())
    assert not opened.model.training
    assert (opened.ends, opened.start_id) == ({5}, 0)
    assert len(opened.tokenizer) == BASE_SIZE


def test_several_end_tokens_all_end_a_text(tmp_path: Path, tokenizer: Path) -> None:
    config = exported(tmp_path, tokenizer) / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"eos_token_id": [5, 7]}))

    assert open_model(tmp_path).ends == {5, 7}


def test_a_shape_under_our_own_names_is_opened(tmp_path: Path, tokenizer: Path) -> None:
    folder = exported(tmp_path, tokenizer, norm_position="sandwich")

    assert open_model(folder).model.config.norm_position == "sandwich"


def test_what_cannot_write_is_refused(tmp_path: Path, tokenizer: Path) -> None:
    small = exported(tmp_path / "small", tokenizer)
    larger = tmp_path / "larger"
    shutil.copytree(tokenizer.parents[1] / "extended" / "tokenizer", larger)

    with pytest.raises(ContractError, match="a preset has no weights"):
        open_model(Path("gpt2-tiny"))
    with pytest.raises(ContractError, match=r"the tokenizer has 111 ids, .* 97 rows"):
        open_model(small, tokenizer=larger)
