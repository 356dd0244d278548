"""Local SGD and DiLoCo: many local steps, then one exchange (Douillard et al. 2023, algorithm 1).

Workers take `inner_steps` with their own optimizer; the mean of how far they moved is the gradient
of an outer SGD with Nesterov momentum. With rate 1 and no momentum it is local SGD (Stich 2019):
weights are averaged. Traffic falls by the number of inner steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import ProcessGroup

from train.parallel.asynchronous import flat_weights, write_weights


@dataclass(frozen=True, kw_only=True)
class OuterConfig:
    """The outer step; the defaults are DiLoCo's."""

    inner_steps: int = 500
    lr: float = 0.7
    momentum: float = 0.9


class OuterLoop:
    """Call `after_step` after each inner step."""

    def __init__(
        self, model: nn.Module, config: OuterConfig, group: ProcessGroup | None = None
    ) -> None:
        self._model, self._config, self._group = model, config, group
        self._shared: Tensor = flat_weights(model)
        self._velocity = torch.zeros_like(self._shared)
        self._steps = 0

    def after_step(self) -> bool:
        """Exchange where it is time; whether it was."""
        self._steps += 1
        if self._steps % self._config.inner_steps:
            return False
        moved = self._shared - flat_weights(self._model)
        if dist.is_initialized():
            dist.all_reduce(moved, group=self._group)
            moved /= dist.get_world_size(self._group)
        config = self._config
        self._velocity.mul_(config.momentum).add_(moved)
        # Nesterov: look one step ahead along the velocity.
        step = moved + config.momentum * self._velocity if config.momentum else moved
        self._shared = self._shared - config.lr * step
        write_weights(self._model, self._shared)
        return True
