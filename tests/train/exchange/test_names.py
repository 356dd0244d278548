"""Names of transformers and ours: there and back, for every family."""

from __future__ import annotations

import pytest
import torch

from schemas.errors import ContractError
from train.exchange.names import from_hugging_face, to_hugging_face, unexpected_names
from train.exchange.plain_names import plain_names
from train.model.presets import resolve_model
from train.model.transformer import build_model

FAMILIES = [
    "gpt2-test",
    "opt-test",
    "neox-test",
    "llama-test",
    "t5-test",
    "t5-v1.1-test",
    "bert-test",
]


@pytest.mark.parametrize("preset", FAMILIES)
def test_there_and_back_is_the_same_to_the_bit(preset: str) -> None:
    config = resolve_model({"preset": preset}, vocab_size=50, seq_len=8)
    state = dict(build_model(config, seed=1).state_dict())

    theirs = to_hugging_face(state, config)
    back = from_hugging_face(theirs, config)

    assert {name: tensor.tolist() for name, tensor in back.items()} == {
        name: state[name].tolist() for name in back
    }
    assert unexpected_names({**theirs, "model.inv_freq": torch.zeros(1)}, state, config) == []
    assert unexpected_names({**theirs, "surprise": torch.zeros(1)}, state, config) == ["surprise"]


@pytest.mark.parametrize("preset", FAMILIES)
def test_a_missing_tensor_is_named(preset: str) -> None:
    config = resolve_model({"preset": preset}, vocab_size=50, seq_len=8)
    theirs = to_hugging_face(dict(build_model(config, seed=1).state_dict()), config)
    gone = sorted(theirs)[0]
    del theirs[gone]

    with pytest.raises(ContractError, match="the checkpoint has no tensor"):
        from_hugging_face(theirs, config)


@pytest.mark.parametrize("preset", ["llama-test", "t5-test", "bert-test", "opt-test"])
def test_no_two_parameters_share_a_name(preset: str) -> None:
    names = plain_names(resolve_model({"preset": preset}, vocab_size=50, seq_len=8))

    assert len(set(names.values())) == len(names)
