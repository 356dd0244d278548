"""Our generation against transformers on exported weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, T5ForConditionalGeneration

from schemas.errors import ContractError, SettingsError
from schemas.manifest import SpecialIds
from schemas.settings import parse_settings
from train.exchange.folder import export_folder
from train.generation.config import GenerationConfig
from train.generation.incremental import CausalDecoder, IncrementalDecoder, TextToTextDecoder
from train.generation.search import generate
from train.model.encoder_decoder import EncoderDecoder
from train.model.presets import resolve_model
from train.model.transformer import Model, Transformer, build_model

VOCABULARY, NEW = 61, 14
PROMPTS = [[5, 6, 7, 8, 9], [10, 11], [12, 13, 14, 15]]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _model(preset: str) -> Model:
    config = resolve_model({"preset": preset}, vocab_size=VOCABULARY, seq_len=32)
    model = build_model(config, seed=3)
    with torch.no_grad():
        for parameter in model.parameters():  # far from uniform, so that lines differ and end
            if parameter.ndim == 2:
                parameter.mul_(3.0)
    return model.eval()


def _decoder(model: Model) -> IncrementalDecoder:
    if isinstance(model, EncoderDecoder):
        return TextToTextDecoder(model, start_id=0)
    assert isinstance(model, Transformer)
    return CausalDecoder(model, max_new_tokens=NEW)


def _theirs(model: Model, folder: Path) -> Any:
    special = SpecialIds(pad=0, eos=1)
    export_folder(folder, dict(model.state_dict()), model.config, special, None)
    kind = T5ForConditionalGeneration if model.config.family == "t5" else AutoModelForCausalLM
    return kind.from_pretrained(folder).eval()


def _expected(theirs: Any, model: Model, ends: list[int], **options: Any) -> list[list[int]]:
    found = []
    for prompt in PROMPTS:
        whole = theirs.generate(
            torch.tensor([prompt]),
            max_new_tokens=NEW,
            do_sample=False,
            eos_token_id=ends,
            pad_token_id=0,
            **options,
        )[0].tolist()
        new = whole[1:] if model.config.family == "t5" else whole[len(prompt) :]
        cut = next((n for n, token in enumerate(new) if token in ends), len(new))
        found.append(new[:cut])
    return found


PRESETS = ["gpt2-test", "llama-test", "t5-test", "t5-v1.1-test"]


@pytest.mark.parametrize("preset", PRESETS)
def test_greedy_in_a_batch_equals_transformers_one_by_one(preset: str, tmp_path: Path) -> None:
    model = _model(preset)
    theirs = _theirs(model, tmp_path)
    free = generate(
        _decoder(model), PROMPTS, GenerationConfig(max_new_tokens=NEW), ends=frozenset()
    )
    ends = [free[0][5], free[1][9]]  # tokens that do come, so that lines end at different positions

    found = generate(
        _decoder(model), PROMPTS, GenerationConfig(max_new_tokens=NEW), ends=frozenset(ends)
    )

    assert found == _expected(theirs, model, ends)
    assert {len(line) for line in found} != {NEW}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("penalty", "num_ends"), [(1.0, 1), (0.0, 2), (2.0, 2)])
def test_beams_in_a_batch_equal_transformers_one_by_one(
    preset: str, penalty: float, num_ends: int, tmp_path: Path
) -> None:
    model = _model(preset)
    theirs = _theirs(model, tmp_path)
    config = GenerationConfig(max_new_tokens=NEW, num_beams=4, length_penalty=penalty)
    free = generate(_decoder(model), PROMPTS, config, ends=frozenset())
    ends = [free[0][4], free[1][8]][:num_ends]

    found = generate(_decoder(model), PROMPTS, config, ends=frozenset(ends))

    assert found == _expected(theirs, model, ends, num_beams=4, length_penalty=penalty)


def test_a_prompt_draws_the_same_alone_and_in_company() -> None:
    model = _model("gpt2-test")
    config = GenerationConfig(max_new_tokens=8, temperature=1.0, top_p=0.9, seed=4)

    alone = generate(_decoder(model), PROMPTS[:1], config, ends=frozenset())
    together = generate(_decoder(model), PROMPTS, config, ends=frozenset())

    assert alone[0] == together[0]
    assert together[0] != together[1]


def test_the_best_of_one_is_greedy() -> None:
    model = _model("llama-test")
    only_best = GenerationConfig(max_new_tokens=8, temperature=1.0, top_k=1)

    drawn = generate(_decoder(model), PROMPTS, only_best, ends=frozenset())

    greedy = GenerationConfig(max_new_tokens=8)
    assert drawn == generate(_decoder(model), PROMPTS, greedy, ends=frozenset())


def test_an_empty_prompt_and_too_few_positions_are_refused() -> None:
    model = _model("gpt2-test")
    assert isinstance(model, Transformer)
    limit = model.config.max_positions

    with pytest.raises(ContractError, match="no tokens"):
        generate(_decoder(model), [[]], GenerationConfig(), ends=frozenset())
    with pytest.raises(ContractError, match=f"{limit + 2} tokens .* {limit} positions"):
        CausalDecoder(model, max_new_tokens=limit).start([[1, 2]], copies=1)


def test_beams_with_a_temperature_are_refused() -> None:
    with pytest.raises(SettingsError, match="either 4 beams or a temperature"):
        parse_settings(GenerationConfig, {"num_beams": 4, "temperature": 1.0}, where="generate")
