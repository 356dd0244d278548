"""Muon: orthogonalised momentum for hidden matrices, AdamW for the rest (Jordan et al. 2024).

Update scale 0.2 sqrt(max(rows, columns)) after Liu et al. 2025 (arXiv 2502.16982, section 2.2), so
that learning rates of AdamW carry over.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from train.distributed.sharded_tensors import local_part, shard_of, whole

# Coefficients of the quintic Newton-Schulz iteration, from the Muon reference code.
_A, _B, _C = 3.4445, -4.7750, 2.0315


class Muon(torch.optim.Optimizer):
    """Muon for groups that `is_orthogonal` marks, AdamW for all others in the same step."""

    def __init__(
        self, params: Any, *, lr: float, momentum: float = 0.95, betas: tuple[float, float]
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "betas": betas, "weight_decay": 0.0}
        defaults["is_orthogonal"] = True
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                if group["is_orthogonal"] and parameter.ndim == 2:
                    self._orthogonal_update(parameter, group)
                else:
                    self._adam_update(parameter, group)

    def _orthogonal_update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        assert parameter.grad is not None
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].mul_(group["momentum"]).add_(parameter.grad)
        nesterov = parameter.grad.add(momentum, alpha=group["momentum"])
        scale = 0.2 * math.sqrt(max(parameter.shape))
        # A sharded matrix is gathered: its singular vectors belong to the whole.
        direction = shard_of(orthogonalise(whole(nesterov)), parameter)
        local_part(parameter).add_(direction, alpha=-group["lr"] * scale)

    def _adam_update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        assert parameter.grad is not None
        first, second = group["betas"]
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        step = float(state["step"])
        average = state["exp_avg"].lerp_(parameter.grad, 1 - first)
        square = state["exp_avg_sq"].lerp_(parameter.grad.square(), 1 - second)
        root = (square / (1 - second**step)).sqrt_().add_(1e-8)
        parameter.addcdiv_(average, root, value=-group["lr"] / (1 - first**step))


def orthogonalise(matrix: Tensor, *, iterations: int = 5) -> Tensor:
    """Approximate `U V^T` of the singular value decomposition; singular values land in 0.7..1.2."""
    x: Tensor = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x
