"""Padding and recomputation change neither a loss nor a gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from train.batch.batch import NO_LABEL
from train.model.presets import resolve_model
from train.model.transformer import build_model
from train.objectives.build import build_objective
from train.objectives.config import parse_objective
from train.parallel.padding import pad_alike
from train.parallel.recompute import recompute_blocks
from train.selftest.cases import FAMILIES, SPECIAL, VOCAB, make_rows


def built(number: int) -> tuple[Any, Any]:
    family = FAMILIES[number]
    shape = {**family.model, "num_layers": 2}
    config = resolve_model(shape, vocab_size=VOCAB, seq_len=64)
    objective = build_objective(
        parse_objective(family.objective), SPECIAL, family=config.family, vocab_size=VOCAB,
        seq_len=32,
    )  # fmt: skip
    return build_model(config, seed=1).double(), objective


def gradients(model: Any, batch: Any) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    loss = model(batch).loss
    loss.backward()
    return float(loss.detach()), {
        name.replace("_checkpoint_wrapped_module.", ""): p.grad.clone()
        for name, p in model.named_parameters()
        if p.grad is not None
    }


@pytest.mark.parametrize("number", range(len(FAMILIES)))
def test_padding_changes_no_loss_and_no_gradient(number: int) -> None:
    model, objective = built(number)
    batch = objective.build(make_rows(np.array([3, 4])), seed=1)
    tokens, labels = batch.input_ids.shape[1] + 5, batch.labels.shape[1] + 5
    other = replace(
        batch,
        input_ids=F.pad(batch.input_ids, (0, 5)),
        labels=F.pad(batch.labels, (0, 5), value=NO_LABEL),
    )

    padded, _ = pad_alike([batch, other])

    assert padded.input_ids.shape[1] == tokens
    assert padded.labels.shape == (2, labels)
    loss, expected = gradients(model, batch)
    found_loss, found = gradients(model, padded)
    assert found_loss == pytest.approx(loss, rel=1e-12)
    assert found.keys() == expected.keys()
    assert all(torch.allclose(found[n], gradient, atol=1e-10) for n, gradient in expected.items())


def test_batches_of_one_shape_stay_as_they_are() -> None:
    _, objective = built(0)
    batch = objective.build(make_rows(np.array([3, 4])), seed=1)

    assert pad_alike([batch, batch]) == [batch, batch]


@pytest.mark.parametrize("how", ["selective", "full"])
def test_recomputed_blocks_give_the_same_bits(how: Literal["selective", "full"]) -> None:
    model, objective = built(1)
    batch = objective.build(make_rows(np.array([3, 4])), seed=1)
    loss, expected = gradients(model, batch)

    recompute_blocks(model.blocks, how)

    found_loss, found = gradients(model, batch)
    assert found_loss == loss
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], gradient) for name, gradient in expected.items())
