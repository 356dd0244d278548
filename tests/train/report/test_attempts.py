"""The page's attempts: a line and a bar for each, with its cause, its verdict and what was lost."""

from __future__ import annotations

from typing import Any

from train.report.attempts import StepTimes, attempts_body, effective_time, hosts_body, lost_seconds

BEGIN: dict[str, Any] = {"kind": "attempt", "attempt": 0, "time": 1_700_000_000.0, "step": 0}
FAILED: dict[str, Any] = {
    "kind": "attempt_end", "attempt": 0, "time": 1_700_000_100.0, "step": 19, "outcome": "failed",
    "seconds": 100.0, "last_step": 19, "last_checkpoint": "step-00000015", "cause": "crash",
    "reason": "a rank <crashed>", "entity": "a&b", "rule": "general", "verdict": "restart",
    "budget_left": 2, "step_before": 0, "step_after": 15,
    "first": {"rank": 1, "host": "node-7", "section": "reduce", "step": 19},
}  # fmt: skip
TIMES = StepTimes(seconds=90.0, middle=1.0, between_checkpoints=20)


def test_effective_time_is_measured_and_compared_with_the_formula() -> None:
    """100 s, 5 s until the next attempt begins, 10 s to its first step, 95 s in all of it: 200 s, one failure."""
    begin = {**BEGIN, "attempt": 1, "time": BEGIN["time"] + 105}
    end = {**FAILED, "attempt": 1, "cause": None, "seconds": 95.0, "seconds_to_first_step": 10.0}

    found = effective_time([BEGIN, {**FAILED, "seconds_to_first_step": 2.0}, begin, end], TIMES)

    assert found is not None
    assert found.measured == 90 / 200
    assert found.expected == 1 - (15 + 10) / 200
    assert "45.0 % of the time went into steps" in attempts_body([BEGIN, FAILED, begin, end], TIMES)


def test_an_attempt_shows_what_ended_it_and_what_was_lost() -> None:
    body = attempts_body([BEGIN, FAILED], TIMES)

    assert "crash: a rank &lt;crashed&gt; (a&amp;b); rank 1 on node-7, reduce of step 19" in body
    assert "again (general, 2 left)" in body
    assert "11-14 22:13:20" in body
    assert body.count("<rect") == 1
    assert "<crashed>" not in body


def test_time_lost_is_the_share_of_the_steps_after_the_last_checkpoint() -> None:
    assert round(lost_seconds(FAILED) or 0, 2) == 21.05  # 4 of 19 steps in 100 s
    assert lost_seconds({**FAILED, "step_after": 0}) == 100
    assert lost_seconds({**FAILED, "step_after": None}) is None  # it is not known
    assert lost_seconds({**FAILED, "cause": None}) is None


def test_an_attempt_without_an_end_is_told() -> None:
    assert "it runs, or its supervisor was killed" in attempts_body([BEGIN], TIMES)


def test_a_run_without_supervisor_has_no_attempts() -> None:
    assert attempts_body([{"kind": "start", "step": 0}], TIMES) == ""
    assert hosts_body([{"kind": "start", "step": 0}]) == ""


def test_hosts_are_shown_with_their_evidence() -> None:
    body = hosts_body(
        [
            {"kind": "host", "time": 20.0, "host": "b", "state": "excluded", "evidence": ["disk /x: full"]},
            {"kind": "straggler", "time": 10.0, "host": "c", "rank": 3, "section": "step", "step": 9, "seconds": 2.0,
             "relative": 0.5, "individual": 0.9, "is_slow": True},
        ]
    )  # fmt: skip

    assert "disk /x: full" in body
    assert body.index("01-01 00:00:10") < body.index("01-01 00:00:20")  # as they happened
    assert "rank 3, step, step 9: 2.0 s a step, 0.50 of the fastest" in body


def test_a_rank_whose_rows_others_took_over_is_shown() -> None:
    lost = {"rank": 1, "host": "d", "section": "reduce", "step": 7}
    event = {
        "kind": "take_over", "time": 0.0, "reason": "a rank was killed", "ranks": [0, 2], "lost": [lost],
    }  # fmt: skip

    assert "rank 1, reduce of step 7: a rank was killed; 2 ranks took over" in hosts_body([event])
