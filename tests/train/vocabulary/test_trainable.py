"""Old rows stay bit for bit, whatever the optimizer does."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from train.batch.batch import NO_LABEL, Batch
from train.model.config import ModelConfig
from train.model.presets import PRESETS
from train.model.transformer import build_model
from train.optim.config import OptimizerConfig
from train.optim.groups import build_optimizer
from train.vocabulary.trainable import merge_rows, train_rows_only

START, STOP, ROWS = 150, 330, 340  # new rows enough to be factored; ten spare ones after them


def _config(preset: str, **changes: Any) -> ModelConfig:
    return ModelConfig.model_validate(
        {**PRESETS[preset], "vocab_size": ROWS, "width": 128, "num_heads": 4, **changes}
    )


def _batch(config: ModelConfig, seed: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, STOP, (2, 12), generator=generator)
    labels = torch.randint(0, STOP, (2, 12), generator=generator)
    labels[0, :3] = NO_LABEL
    decoder_ids = ids.flip(1) if config.family == "t5" else None
    return Batch.of_whole_rows(ids, labels, decoder_ids=decoder_ids)


CASES = [
    ("gpt2-test", {}),
    ("llama-test", {"num_kv_heads": 2}),  # untied
    ("t5-test", {}),
    ("t5-v1.1-test", {}),  # untied
    ("bert-test", {}),  # tied, with a bias per token
]


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor", "sgd"])
@pytest.mark.parametrize(("preset", "changes"), CASES)
def test_only_the_new_rows_move(preset: str, changes: dict[str, Any], optimizer: str) -> None:
    config = _config(preset, **changes)
    model = build_model(config, seed=1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tables = train_rows_only(model, START, STOP)
    settings = OptimizerConfig.model_validate(
        {"name": optimizer, "weight_decay": 0.5, "momentum": 0.9, "decay_exclude": []}
    )
    stepper = build_optimizer([model], settings)

    for step in range(3):
        for group in stepper.param_groups:
            group["lr"] = 0.05
        stepper.zero_grad()
        model(_batch(config, step)).loss.backward()
        stepper.step()

    after = merge_rows(model.state_dict())
    assert after.keys() == before.keys()
    for name, value in before.items():
        if name in tables:
            assert torch.equal(after[name][:START], value[:START])
            assert torch.equal(after[name][STOP:], value[STOP:])
            assert not torch.equal(after[name][START:STOP], value[START:STOP])
        else:
            assert torch.equal(after[name], value)


@pytest.mark.parametrize(("preset", "changes"), CASES)
def test_new_rows_get_the_gradient_of_the_whole_table(preset: str, changes: dict[str, Any]) -> None:
    config = _config(preset, **changes)
    whole, apart = build_model(config, seed=1), build_model(config, seed=1)
    train_rows_only(apart, START, STOP)

    expected, found = whole(_batch(config, 0)), apart(_batch(config, 0))
    expected.loss.backward()
    found.loss.backward()

    torch.testing.assert_close(found.loss, expected.loss)
    gradients = dict(apart.named_parameters())
    for name, parameter in whole.named_parameters():
        owner, _, attribute = name.rpartition(".")
        prefix = f"{owner}.parametrizations.{attribute}" if owner else f"parametrizations.{name}"
        trained = gradients.get(f"{prefix}.original1")
        if trained is not None:
            assert parameter.grad is not None
            torch.testing.assert_close(trained.grad, parameter.grad[START:STOP])
