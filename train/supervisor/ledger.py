"""Attempts as events of a run: what is written of each, and what the next supervisor reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from train.checkpoint.pointer import STATE_NAME
from train.report.events import Event
from train.supervisor.attempt import Attempt
from train.supervisor.ends import RankEnd
from train.supervisor.stragglers import Flags
from train.supervisor.verdict import Failure, Verdict


def attempt_end(
    attempt: Attempt, *, root: RankEnd | None, failure: Failure | None, verdict: Verdict | None
) -> dict[str, Any]:
    """The fields of an event `attempt_end`; times are seconds since the attempt began."""
    ended = max((rank.ended_at or attempt.started for rank in attempt.ranks.values()), default=0.0)
    fields: dict[str, Any] = {
        "attempt": attempt.number,
        "seconds": round(ended - attempt.started, 3),
        "seconds_to_first_step": _since(attempt, attempt.first_step_at),
        "seconds_to_notice": _since(attempt, attempt.noticed_at),
        "last_step": attempt.last_step,
        "ranks": [
            {
                "rank": rank.rank,
                "host": rank.host,
                "pid": rank.pid,
                "section": rank.section,
                "step": rank.step,
                "code": rank.code,
                "signal": rank.signal,
                "ended_by_us": rank.sentenced,
                "stops": rank.stops,
                "error": None if rank.words is None else f"{rank.words.kind}: {rank.words.message}",
            }
            for rank in attempt.ranks.values()
        ],
    }
    if root is not None:
        fields["first"] = {
            "rank": root.rank,
            "host": root.host,
            "section": root.section,
            "step": root.step,
            "code": root.code,
            "signal": root.signal,
            "at_seconds": _since(attempt, root.at),
        }
    if failure is not None:
        fields |= {
            "cause": failure.cause,
            "root": failure.root,
            "entity": failure.entity,
            "step_before": failure.step_before,
            "step_after": failure.step_after,
        }
    if verdict is not None:
        fields |= {
            "verdict": "restart" if verdict.restarts else "stop",
            "rule": verdict.rule,
            "reason": verdict.reason,
            "budget_left": verdict.left,
            "exit_code": None if verdict.restarts else verdict.exit_code,
        }
    return fields


def in_words(root: RankEnd, verdict: Verdict) -> str:
    """What people are told of a failure: the first rank that failed, why, and what follows."""
    words = root.words
    said = f" ({words.kind}: {words.message})" if words else ""
    follows = f"starting again, {verdict.left} left" if verdict.restarts else "not started again"
    return (
        f"rank {root.rank} on {root.host} in {root.section} of step {root.step}: "
        f"{verdict.reason}{said}; {follows}"
    )


def straggler_events(attempt: Attempt, flags: Flags) -> Iterator[dict[str, Any]]:
    """The fields of an event `straggler` for each rank that has become slow, or fast again."""
    for score in attempt.meter.scores():
        if flags.changes(score):
            yield {
                "rank": score.rank,
                "host": attempt.ranks[score.rank].host,
                "section": score.section,
                "seconds": round(score.seconds, 4),
                "relative": round(score.relative, 3),
                "individual": round(score.individual, 3),
                "is_slow": score.is_flagged,
            }


def _since(attempt: Attempt, at: float | None) -> float | None:
    return None if at is None else round(at - attempt.started, 3)


def failures_of(events: Sequence[Event], session: str) -> list[Failure]:
    """The failures of a session, oldest first; an attempt that ended well breaks every streak."""
    failures: list[Failure] = []
    for event in events:
        if event["kind"] != "attempt_end" or event.get("session") != session:
            continue
        if event.get("cause") is None:
            failures.clear()
            continue
        failures.append(
            Failure(
                cause=event["cause"],
                root=event["root"],
                entity=event["entity"],
                step_before=event["step_before"],
                step_after=event["step_after"],
            )
        )
    return failures


def learnt_of(checkpoint: Path | None) -> dict[str, float]:
    """The longest seconds by section that a checkpoint holds; none where it holds none or is damaged."""
    if checkpoint is None:
        return {}
    try:
        state = json.loads((checkpoint / STATE_NAME).read_text(encoding="utf-8"))
        learnt = state.get("learnt_seconds") or {}
        return {str(name): float(seconds) for name, seconds in learnt.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
