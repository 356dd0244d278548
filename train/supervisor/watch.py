"""When a section takes too long, learnt from those before it; and which rank the others wait for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from train.sections import WAITING
from train.supervisor.config import SupervisionConfig

_FACTOR, _SMOOTHING, _UNJUDGED_STEPS = 5.0, 0.5, 5


@dataclass(kw_only=True)
class HangRule:
    """The time-out of each section: a floor, or five times the longest that was seen.

    The first five steps after a start are not learnt from: caches are cold. What an attempt has learnt is
    merged half and half with what the ones before had, or a single slow moment would be remembered for ever.

    Attributes:
        before: Longest seconds by section, from the checkpoint.
        seen: Longest seconds by section in this attempt.
    """

    config: SupervisionConfig
    before: Mapping[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    first_step: int | None = None

    def observe(self, section: str, seconds: float, step: int) -> bool:
        """Learn from a section that is over; returns whether it was the longest so far."""
        if step < 0:
            return False
        if self.first_step is None:
            self.first_step = step
        if step < self.first_step + _UNJUDGED_STEPS or seconds <= self.seen.get(section, 0.0):
            return False
        self.seen[section] = seconds
        return True

    def learnt(self) -> dict[str, float]:
        """What is known of each section now."""
        merged = dict(self.before)
        for section, seconds in self.seen.items():
            old = merged.get(section, seconds)
            merged[section] = max(_SMOOTHING * old + (1 - _SMOOTHING) * seconds, 0.0)
        return merged

    def limit(self, section: str, step: int) -> float:
        """Seconds after which a rank that is still in the section counts as hung."""
        longest = self.learnt().get(section)
        longest = None if longest is None else max(longest, self.seen.get(section, 0.0))
        is_young = self.first_step is None or step < self.first_step + _UNJUDGED_STEPS
        floor = self.config.start_floor_seconds
        if not is_young and longest is not None and section != "start":
            floor = self.config.floor_seconds
        return max(floor, _FACTOR * (longest or 0.0))


class Position(Protocol):
    """Where a rank is; see `RankState`."""

    rank: int
    section: str
    step: int
    told: int


# What the stack of a rank that waits for the others passes through.
_COLLECTIVE_FRAMES = ("torch/distributed/distributed_c10d.py", "torch/distributed/c10d_logger.py")


def busy_by_stack(stacks: Mapping[int, str]) -> list[int]:
    """The ranks whose stacks are in no collective; empty where that does not tell them apart.

    Args:
        stacks: What faulthandler wrote of each rank; a rank without a stack says nothing.
    """
    told = {rank: text for rank, text in stacks.items() if text}
    busy = [rank for rank, text in told.items() if not any(f in text for f in _COLLECTIVE_FRAMES)]
    return busy if len(busy) < len(told) else []


def odd_ones_out(ranks: Iterable[Position]) -> list[int]:
    """The ranks that the others wait for: those that came least far, and of them those not waiting.

    Empty where all wait at the same point: none of them is more to blame than another.
    """
    ranks = list(ranks)
    least = min(((one.step, one.told) for one in ranks), default=(0, 0))
    last = [one for one in ranks if (one.step, one.told) == least]
    busy = [one for one in last if one.section not in WAITING]
    if len(last) == len(ranks) and not busy and len(ranks) > 1:
        return []
    return [one.rank for one in busy or last]
