"""Which rank is slow, in sections where all ranks do equal work by themselves.

Relative: the fastest rank's time over its own, which finds a slow host. Individual: its own best time over its time
now, which finds a host that becomes slow.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from statistics import median

FLAGGED_BELOW = 0.75
EQUAL_WORK = ("data", "forward-backward", "step")
_WINDOW_STEPS, _LEAST_STEPS, _LEAST_SECONDS, _LOOKS = 32, 8, 5e-3, 3


@dataclass(frozen=True, kw_only=True)
class Score:
    """How fast a rank is in a section; 1 is as fast as the reference.

    Attributes:
        seconds: Its median per step.
    """

    rank: int
    section: str
    seconds: float
    relative: float
    individual: float

    @property
    def is_flagged(self) -> bool:
        return min(self.relative, self.individual) < FLAGGED_BELOW


@dataclass
class Flags:
    """Which ranks are noted as slow: a flag must hold for three looks in a row, as must its end."""

    _noted: set[tuple[int, str]] = field(default_factory=set)
    _looks: dict[tuple[int, str], int] = field(default_factory=dict)

    def changes(self, score: Score) -> bool:
        """Take in a look; returns whether the rank is now noted, or no longer."""
        key = (score.rank, score.section)
        if score.is_flagged == (key in self._noted):
            self._looks[key] = 0
            return False
        self._looks[key] = self._looks.get(key, 0) + 1
        if self._looks[key] < _LOOKS:
            return False
        self._looks[key] = 0
        self._noted ^= {key}
        return True


class StragglerMeter:
    """Adds up the time of each rank by section and step."""

    def __init__(self) -> None:
        self._times: dict[tuple[int, str], deque[float]] = defaultdict(
            lambda: deque(maxlen=_WINDOW_STEPS)
        )
        self._open: dict[tuple[int, str], tuple[int, float]] = {}
        self._best: dict[tuple[int, str], float] = {}

    def add(self, rank: int, section: str, step: int, seconds: float) -> None:
        """Add a part of a rank's time in a section of a step."""
        if section not in EQUAL_WORK or step < 0:
            return
        key = (rank, section)
        open_step, total = self._open.get(key, (step, 0.0))
        if open_step != step:
            self._times[key].append(total)
            total = 0.0
            self._keep_best(key)
        self._open[key] = (step, total + seconds)

    def _keep_best(self, key: tuple[int, str]) -> None:
        times = self._times[key]
        if len(times) >= _LEAST_STEPS:
            now = median(times)
            self._best[key] = min(now, self._best.get(key, now))

    def scores(self) -> list[Score]:
        """The scores of all ranks by section, where there is enough to judge by."""
        found: list[Score] = []
        for section in EQUAL_WORK:
            now = {
                rank: median(times)
                for (rank, name), times in sorted(self._times.items())
                if name == section and len(times) >= _LEAST_STEPS
            }
            if not now or min(now.values()) < _LEAST_SECONDS:
                continue
            fastest = min(now.values())
            found += [
                Score(
                    rank=rank,
                    section=section,
                    seconds=seconds,
                    relative=fastest / seconds,
                    individual=self._best[rank, section] / seconds,
                )
                for rank, seconds in now.items()
            ]
        return found
