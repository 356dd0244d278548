"""Optimizers against independent arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from transformers import Adafactor as ReferenceAdafactor

from train.optim.adafactor import Adafactor
from train.optim.config import OptimizerConfig
from train.optim.groups import parameter_groups
from train.optim.lion import Lion
from train.optim.muon import Muon, orthogonalise


def test_lion_moves_by_the_sign_of_the_interpolation() -> None:
    weight = nn.Parameter(torch.tensor([1.0, -1.0]))
    optimizer = Lion([weight], lr=0.1, betas=(0.9, 0.99))
    momentum, value = np.zeros(2), np.array([1.0, -1.0])

    for gradient in ([0.5, -0.2], [-0.01, 0.3]):
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        value = value - 0.1 * np.sign(0.9 * momentum + 0.1 * np.array(gradient))
        momentum = 0.99 * momentum + 0.01 * np.array(gradient)

    np.testing.assert_allclose(weight.detach().numpy(), value, rtol=1e-6)


def test_adafactor_equals_transformers() -> None:
    torch.manual_seed(0)
    start = torch.randn(130, 140)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    mine = Adafactor([ours], lr=0.01)
    reference = ReferenceAdafactor(
        [theirs], lr=0.01, relative_step=False, scale_parameter=True, warmup_init=False
    )

    for _ in range(4):
        gradient = torch.randn(130, 140)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step()
        reference.step()

    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_adafactor_equals_torch_s_where_both_follow_the_paper() -> None:
    """Factored matrices, and rates below 1 / sqrt(step), where torch's own cap does nothing."""
    torch.manual_seed(0)
    start = torch.randn(130, 140)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    mine = Adafactor([ours], lr=0.01)
    reference = torch.optim.Adafactor([theirs], lr=0.01, eps=(1e-15, 1e-3))

    for _ in range(4):
        gradient = torch.randn(130, 140)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step()
        reference.step()

    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "lr"),
    [
        pytest.param((130, 140), 1.0, id="torch caps the rate at one over the root of the step"),
        pytest.param((32, 40), 0.01, id="torch factors small matrices, t5x does not"),
    ],
)
def test_why_adafactor_is_not_torch_s(shape: tuple[int, int], lr: float) -> None:
    """When torch's gives the same steps here, ours can go: docs/decisions/0018."""
    torch.manual_seed(0)
    start = torch.randn(shape)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    mine = Adafactor([ours], lr=lr)
    reference = torch.optim.Adafactor([theirs], lr=lr, eps=(1e-15, 1e-3))

    for _ in range(4):
        gradient = torch.randn(shape)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step()
        reference.step()

    moved = float((ours - start).norm())
    assert float((ours - theirs).norm()) > 0.1 * moved


@pytest.mark.parametrize("shape", [(24, 60), (60, 24), (32, 32)])
def test_muon_equals_torch_s_where_it_computes_in_bf16(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    start = torch.randn(shape)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    groups = [{"params": [ours], "weight_decay": 0.1}]
    mine = Muon(groups, lr=0.02, betas=(0.9, 0.95), iteration=torch.bfloat16)
    reference = torch.optim.Muon(
        [theirs], lr=0.02, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )

    for _ in range(4):
        gradient = torch.randn(shape)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step()
        reference.step()

    # Both round to bf16, at other points: the momentum is 20 times that of the reference.
    moved = float((ours - start).norm())
    assert float((ours - theirs).norm()) < 0.03 * moved


def test_muon_gives_other_parameters_torch_s_adamw() -> None:
    torch.manual_seed(0)
    start = torch.randn(7, 5)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    groups = [{"params": [ours], "weight_decay": 0.1, "is_orthogonal": False}]
    mine = Muon(groups, lr=0.02, betas=(0.9, 0.95))
    reference = torch.optim.AdamW([theirs], lr=0.02, betas=(0.9, 0.95), weight_decay=0.1)

    for _ in range(4):
        gradient = torch.randn(7, 5)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step()
        reference.step()

    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)


def test_muon_makes_singular_values_about_one() -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(24, 60)))

    assert values.min() > 0.5
    assert values.max() < 1.3


def test_vectors_and_named_parts_do_not_decay() -> None:
    model = nn.ModuleDict({"layer": nn.Linear(3, 2), "norm": nn.LayerNorm(3)})

    groups = parameter_groups(model.named_parameters(), OptimizerConfig(weight_decay=0.5))

    decays = {name: group["weight_decay"] for group in groups for name, _ in group["params"]}
    assert decays == {
        "layer.weight": 0.5,
        "layer.bias": 0.0,
        "norm.weight": 0.0,
        "norm.bias": 0.0,
    }
