"""Whether a task tells models of this size apart: its signal beside its noise over checkpoints.

Signal is the range of the runs' scores, noise the standard deviation of one run's last checkpoints, which
differ by luck alone. Noise is taken within each run and averaged: pooled over runs it would hold the signal
itself, and no task could look bad.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

ENOUGH_SIGNAL = 2.0
# The last checkpoints of a run whose scores differ by luck; fewer say nothing of it.
LAST_CHECKPOINTS = 5
_FEWEST_CHECKPOINTS = 3


@dataclass(frozen=True, kw_only=True)
class SignalToNoise:
    """Range over runs, and deviation over the last checkpoints of a run.

    Attributes:
        runs: Number of runs that were measured.
    """

    signal: float
    noise: float
    runs: int

    @property
    def ratio(self) -> float:
        """Infinite where nothing varies but the runs; NaN where nothing varies at all."""
        if self.noise == 0:
            return math.inf if self.signal > 0 else math.nan
        return self.signal / self.noise

    @property
    def reason(self) -> str | None:
        """Why the task should not decide anything here; None where it may."""
        if self.ratio >= ENOUGH_SIGNAL:
            return None
        return (
            f"signal to noise {self.ratio:.2f}, below {ENOUGH_SIGNAL:g}: {self.runs} runs lie within "
            f"{self.signal:.4f}, the last checkpoints of one vary by {self.noise:.4f}"
        )


def signal_to_noise(scores: Mapping[str, Sequence[float]]) -> SignalToNoise | None:
    """Of one task; None where fewer than two runs have three checkpoints.

    Args:
        scores: For each run, its scores over its checkpoints, the last one last.
    """
    last = {
        run: list(values)[-LAST_CHECKPOINTS:]
        for run, values in scores.items()
        if len(values) >= _FEWEST_CHECKPOINTS
    }
    if len(last) < 2:
        return None
    means = [fmean(values) for values in last.values()]
    noise = fmean(stdev(values) for values in last.values())
    return SignalToNoise(signal=max(means) - min(means), noise=noise, runs=len(last))
