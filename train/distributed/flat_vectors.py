"""Weights and gradients of a model as one flat vector, and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def flat_weights(model: nn.Module) -> Tensor:
    """All parameters as one fp32 vector, in their order."""
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()]).float()


def flat_gradient(model: nn.Module) -> Tensor:
    """All gradients as one fp32 vector."""
    parts = [p.grad if p.grad is not None else torch.zeros_like(p) for p in model.parameters()]
    return torch.cat([part.detach().reshape(-1) for part in parts]).float()


@torch.no_grad()
def write_weights(model: nn.Module, flat: Tensor) -> None:
    """Put a flat vector back into the parameters."""
    start = 0
    for parameter in model.parameters():
        end = start + parameter.numel()
        parameter.copy_(flat[start:end].view_as(parameter))
        start = end
