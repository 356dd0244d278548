"""Published shapes: exact parameter counts."""

import pytest
import torch

from schemas.errors import SettingsError
from train.model.config import ModelConfig
from train.model.presets import PRESETS, resolve_model
from train.model.transformer import build_model, make_model

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
    "opt-125m": 125_239_296,
    "opt-1.3b": 1_315_758_080,
    "opt-2.7b": 2_651_596_800,
    "opt-6.7b": 6_658_473_984,
    "opt-13b": 12_853_473_280,
    "opt-30b": 29_974_540_288,
    "opt-66b": 65_719_701_504,
    "opt-175b": 174_604_468_224,
    "neox-20b": 20_554_567_680,
    "llama-7b": 6_738_415_616,
    "t5-small": 60_506_624,
    "t5-base": 222_903_552,
    "t5-large": 737_668_096,
    "t5-3b": 2_851_598_336,
    "t5-11b": 11_307_321_344,
    "t5-v1.1-small": 76_961_152,
    "t5-v1.1-base": 247_577_856,
    "t5-v1.1-large": 783_150_080,
    "t5-v1.1-xl": 2_849_757_184,
    "t5-v1.1-xxl": 11_135_332_352,
    # Encoder and pooler as published, 109,482,240 and 335,141,888, and the two heads.
    "bert-base": 109_482_240 + (768 * 768 + 768 + 1536 + 30_522) + (2 * 768 + 2),
    # transformers' BertForPreTraining of the published configuration.
    "bert-base-chinese": 102_882_442,
    "bert-large": 335_141_888 + (1024 * 1024 + 1024 + 2048 + 30_522) + (2 * 1024 + 2),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_the_published_number(name: str) -> None:
    config = ModelConfig.model_validate(PRESETS[name])

    with torch.device("meta"):
        model = make_model(config)

    assert config.num_parameters() == COUNTS[name]
    assert sum(p.numel() for p in model.parameters()) == COUNTS[name]


def test_residual_outputs_start_smaller_by_the_root_of_twice_the_layers() -> None:
    model = build_model(ModelConfig(width=128, num_layers=8, vocab_size=500), seed=0)

    weights = model.state_dict()
    assert weights["blocks.3.mlp.down.weight"].std().item() == pytest.approx(0.02 / 4, rel=0.02)
    assert weights["blocks.3.mlp.up.weight"].std().item() == pytest.approx(0.02, rel=0.02)


def test_an_unknown_preset_gets_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match="gpt2-small"):
        resolve_model({"preset": "gpt2-smal"}, vocab_size=10, seq_len=8)
