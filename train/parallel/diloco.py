"""Local SGD and DiLoCo: many local steps, then one exchange (Douillard et al. 2023, algorithm 1).

Workers take `inner_steps` with their own optimizer; the mean of how far they moved is the gradient
of an outer SGD with Nesterov momentum. With rate 1 and no momentum it is local SGD (Stich 2019):
weights are averaged. Traffic falls by the number of inner steps.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import ProcessGroup

from train.parallel.asynchronous import flat_weights, write_weights
from train.parallel.config import DilocoConfig


class OuterLoop:
    """The weights that all ranks agreed on last, and how they move; `velocity` is its only state."""

    def __init__(
        self, model: nn.Module, config: DilocoConfig, group: ProcessGroup | None = None
    ) -> None:
        self._model, self._config, self._group = model, config, group
        self._shared: Tensor = flat_weights(model)
        self.velocity = torch.zeros_like(self._shared)

    def begin(self) -> None:
        """Take the model's weights, equal on all ranks, as those agreed on."""
        self._shared = flat_weights(self._model)

    def after_step(self, done: int, *, is_last: bool = False) -> bool:
        """Meet after `done` steps of the run where it is time, or none follows; whether it was."""
        is_time = done % self._config.inner_steps == 0 or is_last
        if is_time:
            self._exchange()
        return is_time

    def _exchange(self) -> None:
        moved = self._shared - flat_weights(self._model)
        if dist.is_initialized():
            dist.all_reduce(moved, group=self._group)
            moved /= dist.get_world_size(self._group)
        config = self._config
        self.velocity.mul_(config.momentum).add_(moved)
        # Nesterov: look one step ahead along the velocity.
        step = moved + config.momentum * self.velocity if config.momentum else moved
        self._shared = self._shared - config.lr * step
        write_weights(self._model, self._shared)
