"""Published forms of models load with the logits of transformers, and come back through an export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from schemas.errors import ContractError
from schemas.manifest import SpecialIds
from tests.support.published_forms import (
    FORMS,
    LLAMA3,
    largest_difference,
    made,
    opened,
    our_logits,
    reload,
    their_logits,
)
from train.exchange.describe import read_shape
from train.exchange.folder import export_folder
from train.exchange.weights import WEIGHTS


def assert_close(found: Tensor, expected: Tensor) -> None:
    assert largest_difference(found, expected) <= 1e-5


@torch.no_grad()
@pytest.mark.parametrize("form", FORMS)
def test_a_published_form_has_the_logits_of_transformers_and_comes_back(
    form: str, tmp_path: Path
) -> None:
    theirs = made(form, tmp_path / "published")
    expected = their_logits(theirs)

    ours = opened(tmp_path / "published")

    assert ours.config.num_parameters() == sum(p.numel() for p in ours.parameters())
    assert_close(our_logits(ours), expected)
    export_folder(
        tmp_path / "out", dict(ours.state_dict()), ours.config, SpecialIds(pad=0, eos=1), None
    )
    reloaded = reload(form, tmp_path / "out")
    assert_close(their_logits(reloaded), expected)
    assert opened(tmp_path / "out").config == ours.config


@torch.no_grad()
def test_norms_of_older_berts_are_read_under_their_old_names(tmp_path: Path) -> None:
    theirs = made("bert", tmp_path)
    tensors = load_file(tmp_path / WEIGHTS)
    older = {
        n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
        for n, v in tensors.items()
    }  # fmt: skip
    assert any(name.endswith("gamma") for name in older)
    save_file(older, tmp_path / WEIGHTS, metadata={"format": "pt"})

    assert_close(our_logits(opened(tmp_path)), their_logits(theirs))


@torch.no_grad()
def test_the_spare_table_of_t5_1_0_is_left_out_and_no_other(tmp_path: Path) -> None:
    theirs = made("t5 1.0", tmp_path)
    tensors = load_file(tmp_path / WEIGHTS)
    spare = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    save_file({**tensors, spare: torch.ones(32, 4)}, tmp_path / WEIGHTS)

    assert_close(our_logits(opened(tmp_path)), their_logits(theirs))

    other = spare.replace("block.0", "block.1")
    save_file({**tensors, other: torch.ones(32, 4)}, tmp_path / WEIGHTS)
    with pytest.raises(ContractError, match=r"block\.1\.layer\.1.*expected none"):
        opened(tmp_path)


def test_rows_may_be_as_long_as_a_sliding_window(tmp_path: Path) -> None:
    made("mistral", tmp_path)

    assert read_shape(tmp_path).max_positions == 32


@pytest.mark.parametrize(
    ("form", "change", "message"),
    [
        ("llama 3", {"attention_bias": True}, "attention_bias is set"),
        ("qwen2", {"use_sliding_window": True}, "use_sliding_window is set"),
        ("opt-350m", {"enable_bias": False}, "enable_bias is false"),
        (
            "llama 3",
            {"rope_parameters": {**LLAMA3, "rope_type": "yarn"}},
            "scaled by 'yarn' are not supported; expected linear or llama3",
        ),
        ("bert", {"model_type": "umt5"}, "model_type is 'umt5', expected one of"),
    ],
)
def test_what_cannot_be_reproduced_is_refused(
    form: str, change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    made(form, tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    with pytest.raises(ContractError, match=message):
        read_shape(tmp_path)
