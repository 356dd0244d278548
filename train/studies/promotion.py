"""Which trial goes on: rungs of a search, by successive halving that never waits (Li et al. 2020, ASHA).

A trial that waits at a rung keeps its checkpoint; when it is promoted it goes on from there, so no token is read twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from train.studies.search_settings import PruningConfig


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is known of a trial.

    Attributes:
        number: Of the trial.
        values: The measure at each rung that it has reached, lower being better.
        is_over: Whether it ended, failed or was given up.
    """

    number: int
    values: Mapping[int, float] = field(default_factory=dict)
    is_over: bool = False

    @property
    def rung(self) -> int:
        """The last rung that it reached; -1 before the first."""
        return max(self.values, default=-1)


def rung_steps(steps: int, pruning: PruningConfig | None) -> list[int | None]:
    """The steps at which trials wait, and None for their end.

    Raises:
        ValueError: The run has too few steps for its rungs.
    """
    if pruning is None:
        return [None]
    above = range(pruning.rungs - 1, 0, -1)
    waits = [math.ceil(steps / pruning.factor**one) for one in above]
    if len({*waits, steps}) <= len(waits):
        raise ValueError(
            f"pruning: {pruning.rungs} rungs of factor {pruning.factor} need {pruning.factor ** (pruning.rungs - 1)} "
            f"steps or more, and a trial has {steps}; use fewer rungs, smaller batches or more tokens"
        )
    return [*waits, None]


def promotable(
    standings: Sequence[Standing], *, rungs: int, factor: int, is_last_call: bool
) -> list[int]:
    """Numbers of the trials that may go on, the farthest first, of equal ones the best.

    Args:
        standings: All trials.
        rungs: Number of rungs, the end among them.
        factor: Of so many trials that reached a rung, one goes on.
        is_last_call: Whether no trial will be added: then one of each rung goes on, however few there are.
    """
    found = []
    for rung in range(rungs - 2, -1, -1):
        reached = sorted(
            (one for one in standings if rung in one.values),
            key=lambda one: (one.values[rung], one.number),
        )
        quota = len(reached) // factor
        if is_last_call and reached:
            quota = max(quota, 1)
        found += [one.number for one in reached[:quota] if one.rung == rung and not one.is_over]
    return found
