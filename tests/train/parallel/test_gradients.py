"""Reduced gradients are values: their norm follows from them alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from train.parallel.gradients import GradientSums


def two_layers() -> nn.Module:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    for parameter, gradient in zip(model.parameters(), (3.0, 4.0), strict=True):
        parameter.grad = torch.full_like(parameter, gradient)
    return model


def test_the_norm_is_that_of_the_gradients_as_they_are_now() -> None:
    reduced = GradientSums().reduce((two_layers(),))

    assert float(reduced.norm()) == 5.0
    reduced.scale(0.5)
    assert float(reduced.norm()) == 2.5


def test_a_parameter_that_another_pipeline_stage_counts_is_left_out_of_the_norm() -> None:
    reduced = GradientSums(repeated=frozenset({"1.weight"})).reduce((two_layers(),))

    assert [float(gradient) for gradient in reduced.tensors] == [3.0, 4.0]
    assert float(reduced.norm()) == 3.0


def test_two_reductions_do_not_know_of_each_other() -> None:
    sums = GradientSums(repeated=frozenset({"1.weight"}))
    first = sums.reduce((two_layers(),))
    sums.reduce((nn.Linear(2, 2, bias=False),))

    assert float(first.norm()) == pytest.approx(3.0)
