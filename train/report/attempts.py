"""The attempts of a supervised run as tables: when each ran, why it ended, what that cost, and the hosts."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import mean
from typing import Any

from pages.tables import escaped, table
from train.report.events import Event

_OUTCOMES = {"more hosts": "it saved itself: the next attempt has more hosts"}


@dataclass(frozen=True, kw_only=True)
class StepTimes:
    """How long the steps took that are in the weights.

    Attributes:
        seconds: All of them together.
        middle: The median step.
        between_checkpoints: Steps from one checkpoint to the next.
    """

    seconds: float
    middle: float
    between_checkpoints: int


@dataclass(frozen=True, kw_only=True)
class EffectiveTime:
    """The share of the time that is in the weights.

    Attributes:
        measured: Seconds of steps that the weights hold over the seconds since the first attempt began.
        expected: 1 - (u + t/2) / MTTF: u seconds from a failure to the next step done, t seconds between
            checkpoints, MTTF seconds between failures; None without a failure.
    """

    measured: float
    expected: float | None


def effective_time(events: Sequence[Event], times: StepTimes) -> EffectiveTime | None:
    """The effective time of a supervised run; None where no attempt has ended."""
    begins = {event["attempt"]: event for event in events if event["kind"] == "attempt"}
    ends = [event for event in events if event["kind"] == "attempt_end"]
    if not ends:
        return None
    began, ended = (
        {n: b["time"] for n, b in begins.items()},
        {e["attempt"]: _ended(begins, e) for e in ends},
    )
    whole = max(ended.values()) - min(began.values())
    gaps = [
        began[end["attempt"]] - ended[end["attempt"] - 1] + end["seconds_to_first_step"]
        for end in ends
        if end["attempt"] - 1 in ended and end.get("seconds_to_first_step") is not None
    ]
    measured = times.seconds / max(whole, 1e-9)
    if not gaps:
        return EffectiveTime(measured=measured, expected=None)
    lost = mean(gaps) + times.middle * times.between_checkpoints / 2
    return EffectiveTime(measured=measured, expected=1 - lost / (whole / len(gaps)))


def _ended(begins: Mapping[int, Event], end: Event) -> float:
    return float(begins[end["attempt"]]["time"] + end["seconds"])


def attempts_body(events: Sequence[Event], times: StepTimes) -> str:
    """Timeline and table of the attempts; empty for a run without a supervisor."""
    begins = [event for event in events if event["kind"] == "attempt"]
    if not begins:
        return ""
    ends = {event["attempt"]: event for event in events if event["kind"] == "attempt_end"}
    pairs = [(begin, ends.get(begin["attempt"])) for begin in begins]
    rows = [_row(begin, end) for begin, end in pairs]
    head = (
        "attempt",
        "began (UTC)",
        "seconds",
        "last step",
        "checkpoint",
        "lost",
        "verdict",
        "ended by",
    )
    shown = table("Attempts, and what ended each", head, map(escaped, rows), ends_in_words=True)
    return _timeline(pairs) + _effective(effective_time(events, times)) + shown


def _effective(time: EffectiveTime | None) -> str:
    if time is None:
        return ""
    expected = (
        ""
        if time.expected is None
        else f"; {100 * time.expected:.1f} % by the formula 1 - (u + t/2) / MTTF, from this run's own means"
    )
    return f"<p>{100 * time.measured:.1f} % of the time went into steps that the weights hold{expected}.</p>"


def hosts_body(events: Sequence[Event]) -> str:
    """Hosts that were judged, ranks that were slow, and ranks whose rows others took over."""
    rows = [
        (
            event["time"],
            str(event.get("host", "")),
            event["state"],
            "; ".join(event.get("evidence", [])),
        )
        for event in events
        if event["kind"] == "host"
    ]
    rows += [
        (
            event["time"],
            str(event["host"]),
            "slow" if event["is_slow"] else "no longer slow",
            f"rank {event['rank']}, {event['section']}, step {event['step']}: {event['seconds']} s a step, "
            f"{event['relative']:.2f} of the fastest rank's speed, {event['individual']:.2f} of its own best",
        )
        for event in events
        if event["kind"] == "straggler"
    ]
    rows += [
        (
            event["time"],
            str(lost["host"]),
            "a rank is lost",
            f"rank {lost['rank']}, {lost['section']} of step {lost['step']}: {event['reason']}; "
            f"{len(event['ranks'])} ranks took over its rows in the same step",
        )
        for event in events
        if event["kind"] == "take_over"
        for lost in event["lost"]
    ]
    if not rows:
        return ""
    head = ("at (UTC)", "host", "state", "evidence")
    shown = [(_at(at), *words) for at, *words in sorted(rows, key=lambda row: row[0])]
    return table("Hosts and slow ranks", head, map(escaped, shown), ends_in_words=True)


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%m-%d %H:%M:%S")


def lost_seconds(end: Event) -> float | None:
    """Seconds of an attempt whose steps are not in the weights: since its last checkpoint, by share of steps."""
    step, after = end.get("last_step"), end.get("step_after")
    before = end.get("step_before") or 0
    if end.get("cause") is None or step is None or after is None or step < before:
        return None
    done = max(step - before, 0)
    kept = max(after - before, 0)
    share = 1.0 if done == 0 else max(done - kept, 0) / done
    return float(end["seconds"]) * share


def _row(begin: Event, end: Event | None) -> tuple[str, ...]:
    began = _at(begin["time"])
    number = str(begin["attempt"])
    if end is None:
        return (number, began, "", "", "", "", "", "it runs, or its supervisor was killed")
    lost = lost_seconds(end)
    return (
        number,
        began,
        f"{end['seconds']:.1f}",
        str(end["last_step"]) if end["last_step"] >= 0 else "none",
        end["last_checkpoint"] or "none",
        "" if lost is None else f"{lost:.1f} s",
        _verdict(end),
        _reason(end),
    )


def _reason(end: Event) -> str:
    if end.get("cause") is None:
        return _OUTCOMES.get(end["outcome"], str(end["outcome"]))
    first = end.get("first")
    at = f"; rank {first['rank']} on {first['host']}, {_position(first)}" if first else ""
    entity = f" ({end['entity']})" if end.get("entity") else ""
    return f"{end['cause']}: {end['reason']}{entity}{at}"


def _position(first: Event) -> str:
    """Where in the run a rank was; between two sections it is in that of the start again."""
    if first["section"] != "start":
        return f"{first['section']} of step {first['step']}"
    return "its start" if first["step"] < 0 else f"between the sections of step {first['step']}"


def _verdict(end: Event) -> str:
    if "verdict" not in end:
        return ""
    if end["verdict"] == "restart":
        return f"again ({end['rule']}, {end['budget_left']} left)"
    return f"stop ({end['rule']}), exit code {end['exit_code']}"


def _timeline(pairs: Sequence[tuple[Event, Event | None]]) -> str:
    """A bar for each attempt, from the first begin to the last end."""
    done = [(begin, end) for begin, end in pairs if end is not None]
    if not done:
        return ""
    first = done[0][0]["time"]
    whole = max(max(begin["time"] + end["seconds"] for begin, end in done) - first, 1e-9)
    bars = "".join(_bar(begin, end, first, whole) for begin, end in done)
    return (
        f'<figure><svg viewBox="0 0 1000 24" width="100%" height="24" preserveAspectRatio="none" role="img" '
        f'aria-label="{len(done)} attempts in {whole:.0f} seconds">{bars}</svg>'
        f"<figcaption>Attempts over {whole:.0f} seconds; green: it ended well, red: it failed"
        "</figcaption></figure>"
    )


def _bar(begin: Any, end: Any, first: float, whole: float) -> str:
    left = 1000 * (begin["time"] - first) / whole
    width = max(1000 * end["seconds"] / whole, 2.0)
    colour = "#2a7f62" if end.get("cause") is None else "#b3552e"
    title = html.escape(f"attempt {begin['attempt']}: {_reason(end)}")
    return (
        f'<rect x="{left:.1f}" y="2" width="{width:.1f}" height="20" fill="{colour}">'
        f"<title>{title}</title></rect>"
    )
