"""Another activation that takes over from the one before over some steps.

A model whose activation changes from one step to the next is another function at once; in between each unit computes
(1 - s) * before(x) + s * after(x), with s from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from train.model.layers import MLP, Mixture


@dataclass(frozen=True, kw_only=True)
class ActivationBlend:
    """Sets the mixture of a model for each step.

    Attributes:
        from_step: The first step in which the new activation takes part.
        steps: Over how many steps it takes over; 0: at once.
    """

    mixture: Mixture
    from_step: int
    steps: int

    @classmethod
    def of(cls, settings: Any, parts: Iterable[nn.Module], device: torch.device) -> ActivationBlend:
        """Prepare the MLPs of a model whose activation is already the new one.

        Args:
            settings: The recipe's block `activation_blend`.
            parts: What this rank holds of the model.
            device: Where it computes.
        """
        mixture = Mixture(settings.before, torch.zeros((), device=device))
        for part in parts:
            for module in part.modules():
                if isinstance(module, MLP):
                    module.mixture = mixture
        return cls(mixture=mixture, from_step=settings.from_step, steps=settings.steps)

    def go_to(self, step: int) -> None:
        """Set the share of the new activation in a step; any step, also an earlier one."""
        done = step - self.from_step + 1
        share = min(max(done, 0) / self.steps, 1.0) if self.steps else float(done > 0)
        self.mixture.share.fill_(share)
        self.mixture.is_done = share == 1.0
