"""Adafactor as T5 was trained with it (Shazeer and Stern 2018; constants of t5x/adafactor.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from train.distributed.sharded_tensors import local_part, rms, shard_of, whole

_EPS_SQUARE, _EPS_SCALE, _CLIP, _DECAY_EXPONENT = 1e-30, 1e-3, 1.0, 0.8
_FACTORED_FROM = 128


class Adafactor(torch.optim.Optimizer):
    """Factored second moments, no first one, updates clipped to RMS 1, steps relative to weights.

    A matrix is factored when both sides are at least 128, as in t5x. Statistics of sharded matrices
    are of the whole ones: their gradients are gathered, one at a time.
    """

    def __init__(self, params: Any, *, lr: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        assert gradient is not None
        state = self.state[parameter]
        factored = parameter.ndim == 2 and min(parameter.shape) >= _FACTORED_FROM
        if not state:
            state["step"] = torch.zeros(())
            if factored:
                # Small, and the same on every rank.
                state["row"] = local_part(parameter).new_zeros(parameter.shape[0])
                state["column"] = local_part(parameter).new_zeros(parameter.shape[1])
            else:
                state["square"] = torch.zeros_like(parameter)
        state["step"] += 1
        decay = 1.0 - float(state["step"]) ** -_DECAY_EXPONENT
        if factored:
            gradient = whole(gradient)
        square = gradient.square() + _EPS_SQUARE
        if factored:
            row = state["row"].lerp_(square.mean(dim=1), 1 - decay)
            column = state["column"].lerp_(square.mean(dim=0), 1 - decay)
            inverse = (row / row.mean()).rsqrt().unsqueeze(1) * column.rsqrt().unsqueeze(0)
        else:
            inverse = state["square"].lerp_(square, 1 - decay).rsqrt()
        update = gradient * inverse
        shrink = (rms(update) / _CLIP).clamp(min=1.0)
        scale = rms(parameter).clamp(min=_EPS_SCALE)
        step = shard_of(update, parameter) if factored else local_part(update)
        held = local_part(parameter)
        held.mul_(1 - group["lr"] * group["weight_decay"])
        held.sub_(step * (group["lr"] * scale / shrink))
