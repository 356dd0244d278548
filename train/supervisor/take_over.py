"""When the ranks that are left take over what a lost one did in the step, instead of a new attempt.

They can where the sums of gradients do not depend on who adds them (`parallel.reduction: tree`), where the lost rank was in
a step, and where its end says nothing of settings, data or numbers, which the others would meet as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from schemas.errors import PipelineError
from train.supervisor.attempt import Attempt, RankState
from train.supervisor.ends import RankEnd, cause_of, root_end
from train.supervisor.verdict import CAUSES

_IN_STEP = frozenset({"data", "forward-backward", "reduce", "step"})
# General causes that are no single rank's.
_NOT_OF_A_RANK = frozenset({"collective", "asked_from_outside"})


def taken_over(
    attempt: Attempt, now: float, *, refuse: Callable[[int], None]
) -> tuple[RankEnd, list[RankState]] | None:
    """The failure that the others can go on from, and who these are; None where a new attempt must follow.

    Args:
        attempt: Some of its ranks have failed.
        now: The supervisor's clock.
        refuse: Raises where a world of so many ranks cannot work.
    """
    failed = attempt.failed()
    left = [rank for rank in attempt.members if rank not in failed]
    ends = [rank.end(now) for rank in failed]
    root = root_end(ends)
    if root is None or not left or not all(rank.is_alive for rank in left):
        return None
    if attempt.is_unsure or not attempt.is_settled:
        return None
    if not all(_is_of_rank(end) for end in ends):
        return None
    try:
        refuse(len(left))
    except PipelineError:
        return None
    return root, left


def _is_of_rank(end: RankEnd) -> bool:
    cause = cause_of(end)
    return (
        end.section in _IN_STEP and CAUSES[cause].rule == "general" and cause not in _NOT_OF_A_RANK
    )


def take_over_event(
    attempt: Attempt, root: RankEnd, left: Sequence[RankState], now: float
) -> dict[str, Any]:
    """The fields of an event `take_over`; times are seconds since the attempt began."""
    lost = [rank for rank in attempt.members if rank not in left]
    return {
        "attempt": attempt.number,
        "cause": cause_of(root),
        "reason": CAUSES[cause_of(root)].meaning,
        "section": root.section,
        "failed_seconds": round(root.at - attempt.started, 3),
        "noticed_seconds": round(now - attempt.started, 3),
        "ranks": [rank.rank for rank in left],
        "lost": [
            {"rank": rank.rank, "host": rank.host, "code": rank.code, "signal": rank.signal,
             "section": rank.section, "step": rank.step}
            for rank in lost
        ],
    }  # fmt: skip
