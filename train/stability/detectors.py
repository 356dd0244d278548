"""Detectors: a value of a step against the values before it. Only rises count; all state is plain numbers.

A value is judged first and entered afterwards, so that a spike is not part of what it is measured by.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from train.stability.config import (
    DetectorConfig,
    LastingConfig,
    MadConfig,
    MaxOfFirstConfig,
    SigmaConfig,
)

# Deviations below it are those of a loss that does not move: nothing is judged by them.
_SMALLEST = 1e-10
# Distances from the median without which the deviation is not known.
_MIN_DISTANCES = 16


class Detector(Protocol):
    """Gives the bound of the next value of one signal, and learns from the values that it is shown."""

    def limit(self, value: float) -> float:
        """The bound that a value of this step must not exceed; infinite while too little is known."""

    def enter(self, value: float, *, is_flagged: bool) -> None:
        """Take the value of a step that was judged."""

    def shift(self, values: Iterable[float]) -> None:
        """Take values that were flagged for the level from now on."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state."""


def make_detector(config: DetectorConfig) -> Detector:
    """The detector of some settings, before its first value."""
    match config:
        case SigmaConfig():
            return _Sigma(config)
        case MadConfig():
            return _Mad(config)
        case MaxOfFirstConfig():
            return _MaxOfFirst(config)
        case LastingConfig():
            return _Lasting(config)


@dataclass
class _Sigma:
    config: SigmaConfig
    values: deque[float] = field(init=False)

    def __post_init__(self) -> None:
        self.values = deque(maxlen=self.config.window)

    def limit(self, value: float) -> float:
        if len(self.values) < self.config.min_values:
            return math.inf
        if self.config.includes_current:
            judged = [*self.values, value]
            degrees = len(judged) - 1
        else:
            judged = list(self.values)
            degrees = len(judged)
        mean = math.fsum(judged) / len(judged)
        deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in judged) / degrees)
        if deviation < _SMALLEST:
            return math.inf
        return mean + self.config.sigmas * deviation

    def enter(self, value: float, *, is_flagged: bool) -> None:
        if not is_flagged or self.config.includes_current:
            self.values.append(value)

    def shift(self, values: Iterable[float]) -> None:
        self.values.clear()
        self.values.extend(values)

    def state(self) -> dict[str, Any]:
        return {"values": list(self.values)}

    def restore(self, state: dict[str, Any]) -> None:
        self.values = deque(state["values"], maxlen=self.config.window)


@dataclass
class _Mad:
    config: MadConfig
    values: deque[float] = field(init=False)
    distances: deque[float] = field(init=False)

    def __post_init__(self) -> None:
        self.values = deque(maxlen=self.config.median_of)
        self.distances = deque(maxlen=self.config.scale_of)

    def limit(self, value: float) -> float:
        if len(self.distances) < _MIN_DISTANCES:
            return math.inf
        # A falling loss lies below the median of the steps before it: that is no deviation.
        lag = statistics.median(self.distances)
        deviation = statistics.median(abs(one - lag) for one in self.distances)
        if deviation < _SMALLEST:
            return math.inf
        return statistics.median(self.values) + lag + self.config.k * deviation

    def enter(self, value: float, *, is_flagged: bool) -> None:
        if is_flagged:
            return
        # A median of few values lags behind the steep losses of the first steps.
        if len(self.values) == self.config.median_of:
            self.distances.append(value - statistics.median(self.values))
        self.values.append(value)

    def shift(self, values: Iterable[float]) -> None:
        # What a step differs from the next by is no less at another level: the distances stay.
        self.values.clear()
        self.values.extend(values)

    def state(self) -> dict[str, Any]:
        return {"values": list(self.values), "distances": list(self.distances)}

    def restore(self, state: dict[str, Any]) -> None:
        self.values = deque(state["values"], maxlen=self.config.median_of)
        self.distances = deque(state["distances"], maxlen=self.config.scale_of)


@dataclass
class _MaxOfFirst:
    config: MaxOfFirstConfig
    seen: int = 0
    largest: float = -math.inf

    def limit(self, value: float) -> float:
        if self.seen < self.config.first:
            return math.inf
        return self.config.factor * self.largest

    def enter(self, value: float, *, is_flagged: bool) -> None:
        if self.seen < self.config.first:
            self.seen += 1
            self.largest = max(self.largest, value)

    def shift(self, values: Iterable[float]) -> None:
        self.largest = max(values)

    def state(self) -> dict[str, Any]:
        return {"seen": self.seen, "largest": self.largest if self.seen else None}

    def restore(self, state: dict[str, Any]) -> None:
        self.seen = int(state["seen"])
        self.largest = -math.inf if state["largest"] is None else float(state["largest"])


@dataclass
class _Lasting:
    """Tells once of each new level: a flag makes the level that it tells of the one to compare with."""

    config: LastingConfig
    values: deque[float] = field(init=False)
    lowest: float = math.inf

    def __post_init__(self) -> None:
        self.values = deque(maxlen=self.config.window)

    def limit(self, value: float) -> float:
        """Below the value where the last losses have left the lowest level, whatever this one is."""
        if len(self.values) < self.config.window:
            return math.inf
        bound = self.config.factor * self.lowest
        return -math.inf if statistics.median(self.values) > bound else math.inf

    def enter(self, value: float, *, is_flagged: bool) -> None:
        self.values.append(value)
        if len(self.values) == self.config.window:
            level = statistics.median(self.values)
            self.lowest = level if is_flagged else min(self.lowest, level)

    def shift(self, values: Iterable[float]) -> None:
        self.lowest = max(values)

    def state(self) -> dict[str, Any]:
        lowest = None if math.isinf(self.lowest) else self.lowest
        return {"values": list(self.values), "lowest": lowest}

    def restore(self, state: dict[str, Any]) -> None:
        self.values = deque(state["values"], maxlen=self.config.window)
        self.lowest = math.inf if state["lowest"] is None else float(state["lowest"])
