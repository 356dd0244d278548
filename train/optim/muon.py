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
from torch.optim.adamw import adamw

from train.distributed.sharded_tensors import local_part, shard_of, whole

# Coefficients of the quintic Newton-Schulz iteration, from the Muon reference code.
_A, _B, _C = 3.4445, -4.7750, 2.0315


class Muon(torch.optim.Optimizer):
    """Muon for groups that `is_orthogonal` marks, torch's fused AdamW for all others in the same step.

    Args:
        params: Groups of parameters.
        lr: Learning rate.
        momentum: Of the orthogonal groups.
        betas: Of the other groups.
        iteration: Type that matrices are orthogonalised in; None: bf16 on a GPU, as the reference
            does, else the matrix's own.
    """

    def __init__(
        self,
        params: Any,
        *,
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float],
        iteration: torch.dtype | None = None,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "betas": betas, "weight_decay": 0.0}
        defaults["is_orthogonal"] = True
        super().__init__(params, defaults)
        self._iteration = iteration

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not group["is_orthogonal"]:
                self._adam_step(moved, group)
                continue
            for parameter in moved:
                self._orthogonal_update(parameter, group)

    def _orthogonal_update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        assert parameter.grad is not None
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].mul_(group["momentum"]).add_(parameter.grad)
        nesterov = parameter.grad.add(momentum, alpha=group["momentum"])
        scale = 0.2 * math.sqrt(max(parameter.shape))
        # A sharded matrix is gathered: its singular vectors belong to the whole.
        direction = orthogonalise(whole(nesterov), dtype=self._iteration)
        held = local_part(parameter)
        held.mul_(1 - group["lr"] * group["weight_decay"])
        held.add_(shard_of(direction, parameter), alpha=-group["lr"] * scale)

    def _adam_step(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                # The fused kernel counts steps on the parameter's device.
                state["step"] = torch.zeros((), device=local_part(parameter).device)
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
        first, second = group["betas"]
        adamw(
            [local_part(parameter) for parameter in parameters],
            [local_part(parameter.grad) for parameter in parameters if parameter.grad is not None],
            [local_part(self.state[parameter]["exp_avg"]) for parameter in parameters],
            [local_part(self.state[parameter]["exp_avg_sq"]) for parameter in parameters],
            [],
            [self.state[parameter]["step"] for parameter in parameters],
            fused=True,
            amsgrad=False,
            beta1=first,
            beta2=second,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=1e-8,
            maximize=False,
        )


def orthogonalise(
    matrix: Tensor, *, iterations: int = 5, dtype: torch.dtype | None = None
) -> Tensor:
    """Approximate `U V^T` of the singular value decomposition; singular values land in 0.7..1.2.

    Args:
        matrix: The matrix.
        iterations: Steps of the iteration.
        dtype: What it computes in; None: bf16 on a GPU, else the matrix's own type.
    """
    source = matrix
    matrix = source.to(dtype or (torch.bfloat16 if source.is_cuda else source.dtype))
    x: Tensor = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    direction = x.T if matrix.shape[0] > matrix.shape[1] else x
    return direction.to(source.dtype)
