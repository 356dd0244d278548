"""What turned a run from its course, as its page shows it."""

from __future__ import annotations

from pathlib import Path

from train.report.course import certificate_section, course_section
from train.report.events import EVENTS_NAME, EventLog


def test_turns_are_rows_in_their_order_and_what_a_run_was_told_is_escaped(tmp_path: Path) -> None:
    log = EventLog(tmp_path / EVENTS_NAME)
    log.append("start", step=0)
    log.append(
        "spike", step=4, found="not_finite", action="skip_update", reasons=["loss <nan>"], sample=48
    )
    log.append(
        "rollback", step=2, from_step=5, batches=4, rate_scale=0.5, rewarm_steps=0, actions=1,
        skip={"at": 0, "count": 8},
    )  # fmt: skip
    log.append("swap", step=6, overrides=["optimizer.name=<b>"], rewarm_steps=20)
    log.append("swap_refused", step=7, reason="was altered")

    page = course_section(tmp_path)

    parts = [
        "not finite", "the update was left out; loss &lt;nan&gt; (sample 48)",
        "4 batches jumped over, the rate times 0.5; from step 5",
        "optimizer.name=&lt;b&gt;; the rate climbs for 20 steps",
        "the run went on without it; was altered",
    ]  # fmt: skip
    positions = [page.find(part) for part in parts]
    assert -1 not in positions
    assert positions == sorted(positions)
    assert "<b>" not in page


def test_a_run_without_turns_and_without_an_end_has_neither_section(tmp_path: Path) -> None:
    EventLog(tmp_path / EVENTS_NAME).append("start", step=0)

    assert course_section(tmp_path) == ""
    assert certificate_section(tmp_path) == ""
