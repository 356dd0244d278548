"""Local SGD and DiLoCo: many local steps, then one exchange (Douillard et al. 2023, algorithm 1).

Workers take `inner_steps` with their own optimizer; the mean of how far they moved is the gradient
of an outer SGD with Nesterov momentum. With rate 1 and no momentum it is local SGD (Stich 2019):
weights are averaged. Traffic falls by the number of inner steps.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import ProcessGroup

from schemas.errors import ContractError
from train.checkpoint.state import (
    collect_model,
    collect_tensors,
    restore_model,
    restore_tensors,
)
from train.distributed.flat_vectors import flat_weights, write_weights
from train.parallel.config import DilocoConfig


class OuterLoop:
    """DiLoCo's outer optimizer: the weights that all ranks agreed on last, and how they move.

    Attributes:
        velocity: [N] momentum of the outer step, over all weights of the model.
        has_met: Whether no rank has stepped since the last exchange.
    """

    def __init__(
        self, model: nn.Module, config: DilocoConfig, group: ProcessGroup | None = None
    ) -> None:
        self._model, self._config, self._group = model, config, group
        self._shared: Tensor = flat_weights(model)
        self.velocity = torch.zeros_like(self._shared)
        self.has_met = True

    def after_step(self, done: int, *, is_last: bool = False) -> bool:
        """Exchange weights where it is time after `done` steps, or none follows; says whether it was."""
        is_time = done % self._config.inner_steps == 0 or is_last
        if is_time:
            self._exchange()
        self.has_met = is_time
        return is_time

    def collect(self, optimizer: torch.optim.Optimizer, *, inner: int) -> dict[str, Any]:
        """What a checkpoint holds: the weights agreed on, and each rank's own weights and states.

        Args:
            optimizer: The inner optimizer of this rank.
            inner: The number under which this rank's weights and states lie in the checkpoint.
        """
        own = flat_weights(self._model)
        write_weights(self._model, self._shared)
        agreed = {
            key: value.clone() for key, value in collect_model((self._model,))["model"].items()
        }
        write_weights(self._model, own)
        return {
            "model": agreed,
            "outer": {"velocity": self.velocity},
            "inner": {str(inner): collect_tensors((self._model,), optimizer)},
        }

    def restore(
        self, optimizer: torch.optim.Optimizer, tensors: dict[str, Any], *, inner: int
    ) -> None:
        """Continue from what `collect` gave; loading has filled `velocity` in place."""
        own = tensors["inner"][str(inner)]
        # They are the model's own tensors, which are about to hold the others for a moment.
        own = {**own, "model": {name: value.clone() for name, value in own["model"].items()}}
        restore_model((self._model,), tensors)
        self._shared = flat_weights(self._model)
        restore_tensors((self._model,), optimizer, own)

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


def inner_of(rank: int, *, ranks: int, saved: dict[str, Any], where: str) -> int:
    """The number of the saved rank whose weights and states this rank continues with.

    From an exchange another number of ranks may continue: they take the saved states in turn.

    Raises:
        ContractError: The checkpoint lies between two exchanges of another number of ranks.
    """
    if ranks != saved["ranks"] and not saved["has_met"]:
        raise ContractError(
            f"{where}: was saved between two meetings of {saved['ranks']} ranks, here are {ranks}; "
            "go on with as many until they have met"
        )
    return rank % int(saved["ranks"])
