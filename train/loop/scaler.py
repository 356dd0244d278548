"""Dynamic loss scaling for fp16 (Micikevicius et al. 2018, section 3.2)."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from schemas.errors import PipelineError

logger = logging.getLogger(__name__)

GROWTH, BACKOFF, SMALLEST = 2.0, 0.5, 1.0


@dataclass(kw_only=True)
class LossScaler:
    """Halve the scale after an overflow, double it after `growth_interval` clean steps.

    Decided on the reduced gradient's norm, which is equal on all ranks, so it never diverges.
    """

    scale: float
    growth_interval: int
    clean_steps: int = 0
    steps: int = 0
    skipped: int = 0

    @property
    def is_smallest(self) -> bool:
        """Whether an overflow can no longer be met with a smaller scale."""
        return self.scale <= SMALLEST

    def check_work(self) -> None:
        """Say how many steps were skipped.

        Raises:
            PipelineError: More than half of them: the weights are not what the run would say.
        """
        if 2 * self.skipped > self.steps:
            raise PipelineError(
                f"fp16: {self.skipped:,} of {self.steps:,} steps were skipped, for their gradients "
                "overflowed; lower the rate, or use precision.compute bf16"
            )
        if self.skipped:
            logger.warning("fp16: %d of %d steps were skipped", self.skipped, self.steps)

    def observe(self, *, is_finite: bool) -> None:
        """Change the scale by whether the step's gradient was finite."""
        self.steps += 1
        if not is_finite:
            self.skipped += 1
            self.scale = max(self.scale * BACKOFF, SMALLEST)
            self.clean_steps = 0
            return
        self.clean_steps += 1
        if self.clean_steps >= self.growth_interval:
            self.scale *= GROWTH
            self.clean_steps = 0

    def state(self) -> dict[str, float]:
        """The state that a checkpoint keeps."""
        return {
            "scale": self.scale,
            "clean_steps": self.clean_steps,
            "steps": self.steps,
            "skipped": self.skipped,
        }

    def restore(self, state: dict[str, float]) -> None:
        """Continue from a checkpoint's state."""
        self.scale = state["scale"]
        self.clean_steps = int(state["clean_steps"])
        self.steps, self.skipped = int(state.get("steps", 0)), int(state.get("skipped", 0))
