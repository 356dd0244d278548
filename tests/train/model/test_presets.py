"""Published shapes: exact parameter counts."""

import pytest
import torch

from schemas.errors import SettingsError
from train.model.config import ModelConfig
from train.model.presets import PRESETS, resolve_model
from train.model.transformer import Transformer, build_model

COUNTS = {
    "gpt2-small": 124_439_808,
    "gpt2-medium": 354_823_168,
    "gpt2-large": 774_030_080,
    "gpt2-xl": 1_557_611_200,
    "gpt3-125m": 125_226_240,
    "gpt3-350m": 355_871_744,
    "gpt3-760m": 760_300_032,
    "gpt3-1.3b": 1_315_723_264,
    "gpt3-2.7b": 2_651_553_280,
    "gpt3-6.7b": 6_658_404_352,
    "gpt3-13b": 12_853_386_240,
    "gpt3-175b": 174_604_259_328,
    "llama-7b": 6_738_415_616,
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_the_published_number(name: str) -> None:
    config = ModelConfig.model_validate(PRESETS[name])

    with torch.device("meta"):
        model = Transformer(config)

    assert config.num_parameters() == COUNTS[name]
    assert sum(p.numel() for p in model.parameters()) == COUNTS[name]


def test_residual_outputs_start_smaller_by_the_root_of_twice_the_layers() -> None:
    model = build_model(ModelConfig(width=128, layers=8, vocab_size=500), seed=0)

    weights = model.state_dict()
    assert weights["blocks.3.mlp.down.weight"].std().item() == pytest.approx(0.02 / 4, rel=0.02)
    assert weights["blocks.3.mlp.up.weight"].std().item() == pytest.approx(0.02, rel=0.02)


def test_an_unknown_preset_gets_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match="gpt2-small"):
        resolve_model({"preset": "gpt2-smal"}, vocab_size=10, seq_len=8)
