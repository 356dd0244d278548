"""The first loss against its expectation."""

from __future__ import annotations

import math

import pytest
import torch

from train.batch.batch import Batch
from train.model.presets import resolve_model
from train.model.transformer import Model, build_model
from train.warm_start.first_loss import FirstLoss, first_loss

ROWS, START = 60, 50


def _batch(low: int, high: int) -> Batch:
    ids = torch.randint(low, high, (1, 12), generator=torch.Generator().manual_seed(0))
    return Batch.of_whole_rows(ids, ids.roll(-1, 1))


def _model() -> Model:
    config = resolve_model({"preset": "gpt2-test"}, vocab_size=ROWS, seq_len=16)
    return build_model(config, seed=1)


def test_new_weights_begin_near_uniform_and_are_not_warned_about() -> None:
    found = first_loss(_model(), [_batch(0, ROWS)], new_rows=None)

    assert found is not None
    assert found.loss == pytest.approx(math.log(ROWS), rel=0.02)
    assert found.warning(is_loaded=False) is None


def test_the_cost_of_new_rows_is_what_the_base_alone_would_save() -> None:
    model = _model()
    batch = _batch(0, START)

    found = first_loss(model, [batch], new_rows=(START, ROWS))

    logits = model.logits(batch)[0, :, :START].detach()  # the base has no other rows
    alone = torch.nn.functional.cross_entropy(logits, batch.labels[0])
    assert found is not None
    assert found.known_loss is not None
    assert found.new_rows_cost is not None
    assert found.known_loss - found.new_rows_cost == pytest.approx(float(alone), rel=1e-5)
    assert found.new_labels == 0


def test_labels_that_the_base_does_not_know_are_counted_apart() -> None:
    found = first_loss(_model(), [_batch(0, START), _batch(START, ROWS)], new_rows=(START, ROWS))

    assert found is not None
    assert (found.labels, found.new_labels) == (24, 12)


def test_loaded_weights_that_guess_worse_than_chance_are_warned_about() -> None:
    found = FirstLoss(labels=10, loss=9.0, uniform=4.0)

    assert "worse than chance" in str(found.warning(is_loaded=True))
    assert FirstLoss(labels=10, loss=3.0, uniform=4.0).warning(is_loaded=True) is None
