"""Lion: the sign of an interpolated momentum (Chen et al. 2023, algorithm 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from train.distributed.sharded_tensors import local_part


class Lion(torch.optim.Optimizer):
    """Update by `sign(b1 m + (1 - b1) g)`, decay apart; then `m = b2 m + (1 - b2) g`."""

    def __init__(self, params: Any, *, lr: float, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            first, second = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["exp_avg"] = torch.zeros_like(parameter)
                average, gradient = local_part(state["exp_avg"]), local_part(parameter.grad)
                weight = local_part(parameter)
                direction = average.lerp(gradient, 1 - first).sign_()
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(direction, alpha=-group["lr"])
                average.lerp_(gradient, 1 - second)
