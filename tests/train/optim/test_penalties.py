"""L1 and L2 penalties, and learning rates of muP."""

import pytest
import torch
from torch import Tensor, nn

from train.model.config import ModelConfig
from train.model.transformer import build_model
from train.optim.config import OptimizerConfig
from train.optim.groups import build_optimizer

RATE = 0.1


def stepped(config: OptimizerConfig) -> tuple[nn.Linear, Tensor]:
    """A layer after one step of plain descent with a gradient of ones, and its first weight."""
    layer = nn.Linear(3, 2)
    before = layer.weight.detach().clone()
    optimizer = build_optimizer([layer], config)
    for group in optimizer.param_groups:
        group["lr"] = RATE
    for parameter in layer.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return layer, before


def test_l1_and_l2_are_the_gradients_of_their_penalties() -> None:
    config = OptimizerConfig(name="sgd", momentum=0.0, weight_decay=0.0, l1=0.3, l2=0.5)

    layer, before = stepped(config)

    weight = before.clone().requires_grad_()
    (weight.sum() + 0.3 * weight.abs().sum() + 0.25 * weight.square().sum()).backward()
    assert weight.grad is not None
    assert torch.allclose(layer.weight, before - RATE * weight.grad)


def test_penalties_spare_what_does_not_decay() -> None:
    config = OptimizerConfig(name="sgd", momentum=0.0, weight_decay=0.0, l1=0.3, l2=0.5)
    plain = OptimizerConfig(name="sgd", momentum=0.0, weight_decay=0.0)

    torch.manual_seed(0)
    with_penalty, _ = stepped(config)
    torch.manual_seed(0)
    without, _ = stepped(plain)

    assert torch.equal(with_penalty.bias, without.bias)
    assert not torch.equal(with_penalty.weight, without.weight)


def test_mup_scales_the_rate_of_matrices_between_hidden_units_alone() -> None:
    model = build_model(ModelConfig(width=64, vocab_size=50, mup_base_width=16), seed=0)
    optimizer = build_optimizer([model], OptimizerConfig())
    scales = {id(p): g["lr_scale"] for g in optimizer.param_groups for p in g["params"]}

    found = {name: scales[id(p)] for name, p in model.named_parameters()}

    assert found["blocks.1.mlp.up.weight"] == pytest.approx(16 / 64)
    assert found["embedding.weight"] == 1.0
    assert found["position.weight"] == 1.0
    assert found["blocks.1.mlp.up.bias"] == 1.0
