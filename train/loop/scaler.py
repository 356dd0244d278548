"""Dynamic loss scaling for fp16 (Micikevicius et al. 2018, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

GROWTH, BACKOFF = 2.0, 0.5


@dataclass(kw_only=True)
class LossScaler:
    """Halve the scale after an overflow, double it after `growth_interval` clean steps.

    Decided on the reduced gradient's norm, which is equal on all ranks, so it never diverges.
    """

    scale: float
    growth_interval: int
    clean_steps: int = 0

    def observe(self, *, is_finite: bool) -> None:
        """Change the scale by whether the step's gradient was finite."""
        if not is_finite:
            self.scale = max(self.scale * BACKOFF, 1.0)
            self.clean_steps = 0
            return
        self.clean_steps += 1
        if self.clean_steps >= self.growth_interval:
            self.scale *= GROWTH
            self.clean_steps = 0

    def state(self) -> dict[str, float]:
        """The state that a checkpoint keeps."""
        return {"scale": self.scale, "clean_steps": self.clean_steps}

    def restore(self, state: dict[str, float]) -> None:
        """Continue from a checkpoint's state."""
        self.scale = state["scale"]
        self.clean_steps = int(state["clean_steps"])
