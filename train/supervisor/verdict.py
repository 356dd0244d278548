"""Start again or stop: one table of causes, one rule for each, and a count of failures in a row.

The default is to start again. A streak is counted from the newest failure back; another root, a
checkpoint published since, or progress that is not known break it: unknown is never taken for stalled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from train.supervisor.config import RetryBudget

Rule = Literal["general", "bounded", "confirmation", "unrecoverable"]

# Exit codes of `train supervise`; those of errors are in schemas/errors.py.
EXIT_DONE, EXIT_FAILED, EXIT_REQUEUE, EXIT_NO_REQUEUE, EXIT_CANCELLED = 0, 1, 75, 93, 130


class Cause(NamedTuple):
    """What is known of a cause.

    Attributes:
        rule: Which budget its failures count against.
        meaning: What people are told.
        blames_host: Whether it counts against the host that it happened on.
    """

    rule: Rule
    meaning: str
    blames_host: bool = False


CAUSES: dict[str, Cause] = {
    # Proven: no rerun can help.
    "settings": Cause("unrecoverable", "a setting cannot work"),
    "contract": Cause("unrecoverable", "a file is not what its form says, found before any step"),
    "read_only": Cause("unrecoverable", "the run may not write where it has to"),
    "unrecoverable": Cause("unrecoverable", "the error itself says that no rerun can help"),
    # An exact thing that a rerun meets again: once more shows whether it was the machine.
    "bad_data": Cause("confirmation", "a shard is missing, cut or altered"),
    "damaged_checkpoint": Cause(
        "confirmation", "a checkpoint is damaged; the one before it is taken"
    ),
    "not_finite": Cause("confirmation", "the gradient of a step is not finite"),
    "at_position": Cause("confirmation", "an error that names where in the data it rose"),
    # May be gone at the next try.
    "full_disk": Cause("bounded", "the disk is full"),
    "port_in_use": Cause("bounded", "another process holds the port"),
    "device_memory": Cause("bounded", "an accelerator has no memory left"),
    # Everything else.
    "kernel_memory": Cause("general", "the kernel killed a rank for want of memory", True),
    "memory": Cause("general", "a rank found no memory"),
    "killed": Cause("general", "a rank was killed from outside", True),
    "signal": Cause("general", "a signal ended a rank", True),
    "crash": Cause("general", "a rank crashed", True),
    "exit": Cause("general", "a rank left without a word"),
    "exception": Cause("general", "an error that names no position in the data"),
    "stopped": Cause("general", "a rank was stopped and not continued", True),
    "hang": Cause("general", "a rank did not go on", True),
    "collective": Cause("general", "ranks lost each other, and nothing failed before", True),
    "bit_flip": Cause("general", "a rank has other bits than the others", True),
    "host_lost": Cause("general", "a host is gone", True),
    "asked_from_outside": Cause("general", "a rank was asked to stop, the supervisor was not"),
}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One failed attempt, as the ledger has it.

    Attributes:
        cause: A key of `CAUSES`.
        root: Fingerprint of the failure; equal for occurrences of the same root.
        entity: The exact thing at fault, where one is known.
        step_before: Step of the newest published checkpoint when the attempt began; None: unknown.
        step_after: The same when it ended.
    """

    cause: str
    root: str
    entity: str | None = None
    step_before: int | None = None
    step_after: int | None = None

    @property
    def stood_still(self) -> bool:
        """Whether it is known that the attempt published nothing."""
        if self.step_before is None or self.step_after is None:
            return False
        return self.step_after <= self.step_before


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What follows a failure.

    Attributes:
        rule: The rule that decided.
        left: Failures of this kind that would still be tried again.
        exit_code: Of the whole run where it is not started again.
        pause_seconds: Before the next attempt.
    """

    restarts: bool
    rule: str
    left: int
    exit_code: int
    reason: str
    pause_seconds: float = 0.0


def judge(failures: Sequence[Failure], budget: RetryBudget, *, max_pause: float) -> Verdict:
    """Judge the newest of the failures of a run, oldest first."""
    newest = failures[-1]
    cause = CAUSES[newest.cause]
    if cause.rule == "unrecoverable":
        return Verdict(
            restarts=False, rule=cause.rule, left=0, exit_code=EXIT_NO_REQUEUE, reason=cause.meaning
        )
    counts = _counts(failures, cause.rule, budget)
    rule, count, allowed = min(counts, key=lambda one: one[2] - one[1])
    if count > allowed:
        return Verdict(
            restarts=False,
            rule=rule,
            left=0,
            # Another allocation may be luckier with what has no known position; the rest meets itself again.
            exit_code=EXIT_FAILED if rule == "general" else EXIT_NO_REQUEUE,
            reason=f"{cause.meaning}: {count} times in a row; tried again: {allowed} ({rule})",
        )
    return Verdict(
        restarts=True,
        rule=cause.rule,
        left=allowed - count,
        exit_code=EXIT_FAILED,
        reason=cause.meaning,
        pause_seconds=_pause(_streak(failures, lambda one: one.root == newest.root), max_pause),
    )


def _counts(
    failures: Sequence[Failure], rule: Rule, budget: RetryBudget
) -> list[tuple[str, int, int]]:
    """Each rule that applies, with its count and what it allows."""
    newest = failures[-1]
    same_root = _streak(failures, lambda one: one.root == newest.root)
    same_thing = _streak(
        failures, lambda one: (one.root, one.entity) == (newest.root, newest.entity)
    )
    counts = [
        ("general", same_root, budget.general),
        ("stalled", _streak(failures, lambda one: True), budget.stalled),
    ]
    if rule == "bounded":
        counts.append((rule, same_root, budget.bounded))
    if rule == "confirmation":
        counts.append((rule, same_thing, budget.confirmation))
    return counts


def _streak(failures: Sequence[Failure], is_same: Callable[[Failure], bool]) -> int:
    """Failures in a row that are the same, the newest included, none of which made progress after the first."""
    count = 1
    for later, earlier in zip(reversed(failures), reversed(failures[:-1]), strict=False):
        if not later.stood_still or not is_same(earlier):
            break
        count += 1
    return count


def _pause(streak: int, longest: float) -> float:
    """0, 2, 4, 8 ... seconds."""
    return 0.0 if streak < 2 else float(min(2 ** (streak - 1), longest))
