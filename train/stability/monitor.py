"""All detectors of a run together: one finding a step at most."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from train.stability.config import LastingConfig, StabilityConfig
from train.stability.detectors import Detector, make_detector

FindingKind = Literal["not_finite", "spike", "divergence"]


@dataclass(frozen=True, kw_only=True)
class Readings:
    """What is known of a step before its update, equal on all ranks.

    Attributes:
        loss: Nats per label.
        grad_norm: Before clipping.
        row_loss: Nats per label of the worst row; None where rows are not read.
        row_sample: The sample that this row is.
    """

    loss: float
    grad_norm: float
    row_loss: float | None = None
    row_sample: int | None = None

    @property
    def is_finite(self) -> bool:
        """Whether loss and gradient are numbers."""
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)

    def value(self, signal: str) -> float | None:
        """The value of a signal; None where this step has none."""
        if signal == "loss":
            return self.loss
        if signal == "row_loss":
            return self.row_loss
        return math.log(self.grad_norm) if self.grad_norm > 0 else None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the detectors say of a step.

    Attributes:
        reasons: One sentence for each detector that flagged it.
        shifted: Detectors that take the last values for a new level from now on.
        sample: The row that did it, where one row did.
    """

    kind: FindingKind
    reasons: tuple[str, ...]
    shifted: tuple[str, ...] = ()
    sample: int | None = None


@dataclass
class _Watch:
    name: str
    signal: str
    detector: Detector
    is_lasting: bool
    flagged: list[float] = field(default_factory=list)

    def judge(self, value: float, *, shift_after: int) -> tuple[float, bool] | None:
        """The bound that the value exceeds, and whether it is the new level; None where it fits."""
        limit = self.detector.limit(value)
        is_flagged = value > limit
        self.detector.enter(value, is_flagged=is_flagged)
        if not is_flagged:
            self.flagged.clear()
            return None
        self.flagged.append(value)
        if len(self.flagged) < shift_after:
            return limit, False
        self.detector.shift(self.flagged)
        self.flagged.clear()
        return limit, True


class SpikeMonitor:
    """Judges each step by all detectors of the settings; its state belongs into the checkpoint."""

    def __init__(self, config: StabilityConfig) -> None:
        self._config = config
        self._watches = [
            _Watch(
                name=f"{one.kind}:{one.signal}",
                signal=one.signal,
                detector=make_detector(one),
                is_lasting=isinstance(one, LastingConfig),
            )
            for one in config.detectors
        ]

    def judge(self, readings: Readings) -> Finding | None:
        """Judge a step and take its values in; None where nothing is wrong."""
        if not readings.is_finite:
            reason = f"loss {readings.loss}, gradient norm {readings.grad_norm}"
            return Finding(kind="not_finite", reasons=(reason,))
        reasons, shifted, lasting, rows = [], [], False, False
        for watch in self._watches:
            value = readings.value(watch.signal)
            verdict = None
            if value is not None:
                verdict = watch.judge(value, shift_after=self._config.shift_after)
            if value is None or verdict is None:
                continue
            limit, is_shift = verdict
            reasons.append(_reason(watch, value, limit))
            lasting |= watch.is_lasting
            rows |= watch.signal == "row_loss"
            if is_shift:
                shifted.append(watch.name)
        if not reasons:
            return None
        return Finding(
            kind="divergence" if lasting else "spike",
            reasons=tuple(reasons),
            shifted=tuple(shifted),
            sample=readings.row_sample if rows else None,
        )

    def state(self) -> list[dict[str, Any]]:
        """What a checkpoint keeps, as JSON."""
        return [
            {"name": one.name, "flagged": list(one.flagged), **one.detector.state()}
            for one in self._watches
        ]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Go on from a checkpoint; detectors that it does not know begin anew."""
        stored = {one["name"]: one for one in state}
        for watch in self._watches:
            if watch.name in stored:
                watch.flagged = list(stored[watch.name]["flagged"])
                watch.detector.restore(stored[watch.name])


def _reason(watch: _Watch, value: float, limit: float) -> str:
    if watch.is_lasting:
        return f"{watch.name}: the last losses stay above the lowest level"
    return f"{watch.name}: {value:.4g} is above {limit:.4g}"
