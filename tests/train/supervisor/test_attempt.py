"""An attempt as its supervisor sees it, and what the ledger keeps of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from train.report.events import EventLog
from train.supervisor import kernel
from train.supervisor.attempt import Attempt, RankState
from train.supervisor.config import SupervisionConfig
from train.supervisor.job import Job
from train.supervisor.kernel import kernel_kills
from train.supervisor.ledger import failures_of, learnt_of
from train.supervisor.rank import live
from train.supervisor.verdict import Failure


@pytest.fixture
def attempt() -> Attempt:
    made = Attempt.begin(0, SupervisionConfig(floor_seconds=2, start_floor_seconds=9), {}, 0.0)
    made.ranks = {number: RankState(rank=number, host="a", since=0.0) for number in range(2)}
    return made


def enter(attempt: Attempt, rank: int, section: str, step: int, at: float) -> None:
    told = attempt.ranks[rank].told + 1
    attempt.take(
        {"tell": "section", "rank": rank, "section": section, "step": step, "told": told}, at
    )


def test_a_stop_that_is_continued_in_time_is_no_failure(attempt: Attempt) -> None:
    attempt.take({"tell": "stopped", "rank": 1, "signal": 19}, 1.0)
    assert not attempt.stopped_longer(1.5, 0.8)
    attempt.take({"tell": "continued", "rank": 1, "signal": 18}, 1.6)

    assert not attempt.stopped_longer(9.0, 0.8)
    assert attempt.ranks[1].stops == 1


def test_the_time_that_a_rank_stood_still_counts_as_its_own(attempt: Attempt) -> None:
    """A host that is stopped and continued again and again is slow, and is to be seen."""
    at = 0.0
    for step in range(10):
        for rank, seconds in ((0, 1.0), (1, 4.0)):
            enter(attempt, rank, "forward-backward", step, at)
            attempt.take({"tell": "stopped", "rank": rank, "signal": 19}, at + seconds / 4)
            attempt.take({"tell": "continued", "rank": rank, "signal": 18}, at + seconds)
            enter(attempt, rank, "reduce", step, at + seconds)
        at += 5.0

    assert [score.relative for score in attempt.meter.scores()] == [1.0, 0.25]
    assert not attempt.find_hung(at)  # but it is not taken for hung while it stands still


def test_what_a_rank_does_after_its_failure_was_noticed_does_not_move_it(attempt: Attempt) -> None:
    enter(attempt, 0, "data", 3, 1.0)
    attempt.noticed_at = 2.0

    enter(attempt, 0, "step", 4, 2.1)

    assert (attempt.ranks[0].section, attempt.ranks[0].step) == ("data", 3)


def test_of_two_ranks_the_one_that_the_other_waits_for_hangs(attempt: Attempt) -> None:
    for rank in (0, 1):
        enter(attempt, rank, "forward-backward", 0, 0.0)
    enter(attempt, 0, "reduce", 0, 1.0)

    assert not attempt.find_hung(8.9)
    assert attempt.find_hung(9.1)  # rank 1 has been there for 9.1 s
    assert [rank.is_hung for rank in attempt.ranks.values()] == [False, True]
    assert attempt.ranks[1].end(9.1).is_hung


def test_only_failures_of_the_session_count_and_an_attempt_that_ended_well_ends_the_streak() -> (
    None
):
    def ended(session: str, cause: str | None) -> dict[str, object]:
        return {"kind": "attempt_end", "session": session, "cause": cause, "root": "r", "entity": None,
                "step_before": 0, "step_after": 0}  # fmt: skip

    events = [ended("a", "exit"), ended("a", None), ended("b", "exit"), ended("a", "crash")]

    assert failures_of(events, "a") == [
        Failure(cause="crash", root="r", step_before=0, step_after=0)
    ]


@pytest.mark.parametrize(
    ("text", "learnt"),
    [
        ('{"learnt_seconds": {"step": 1.5}}', {"step": 1.5}),
        ("{}", {}),
        ("[]", {}),
        ("torn", {}),
        ('{"learnt_seconds": {"step": "x"}}', {}),
    ],
)
def test_a_checkpoint_that_says_nothing_of_times_is_no_error(
    tmp_path: Path, text: str, learnt: dict[str, float]
) -> None:
    (tmp_path / "state.json").write_text(text, encoding="utf-8")

    assert learnt_of(tmp_path) == learnt
    assert learnt_of(None) == {}


def test_the_kernel_is_asked_by_all_its_counters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vmstat").write_text("pgfault 9\noom_kill 2\n", encoding="ascii")
    (tmp_path / "events").write_text("oom 7\noom_kill 5\noom_kill_x 8\n", encoding="ascii")
    paths = [(str(tmp_path / name), "oom_kill") for name in ("vmstat", "events", "missing")]
    monkeypatch.setattr(kernel, "_COUNTERS", paths)

    assert kernel_kills() == 5


@pytest.mark.parametrize(("left", "code"), [(0, 0), (7, 7)])
def test_a_rank_ends_with_the_code_of_its_run(tmp_path: Path, left: int, code: int) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(live(lambda argv: left, [], stack=tmp_path / "attempt" / "rank.stack"))

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
    assert (tmp_path / "attempt" / "rank.stack").exists()


@pytest.mark.parametrize("is_collective", [False, True])
def test_only_what_a_rank_met_itself_is_printed(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_collective: bool,
) -> None:
    """A rank that lost its peers leaves its traceback beside its stack."""
    stack = tmp_path / "rank.stack"
    monkeypatch.setattr("train.supervisor.rank.is_of_collective", lambda error: is_collective)

    def fail(argv: list[str]) -> int:
        raise RuntimeError("met")

    pid = os.fork()
    if pid == 0:
        os._exit(live(fail, [], stack=stack))
    os.waitpid(pid, 0)

    printed, kept = capfd.readouterr().err, stack.read_text(encoding="utf-8")
    assert ("Traceback" in printed, "Traceback" in kept) == (not is_collective, is_collective)


def test_progress_counts_the_steps_of_all_phases(tmp_path: Path) -> None:
    job = Job(output=tmp_path / "run", argv=[], ranks_per_host=1, session="s",
              config=SupervisionConfig(), phases=[tmp_path / "first"])  # fmt: skip
    assert (job.published_steps(), job.newest_checkpoint()) == (0, None)
    for folder, step in (("first", 40), ("run", 2)):
        checkpoint = tmp_path / folder / "checkpoints" / f"step-{step:08d}"
        checkpoint.mkdir(parents=True)
        (checkpoint / "state.json").write_text("{}", encoding="utf-8")

    assert job.published_steps() == 42
    assert job.newest_checkpoint() == tmp_path / "run" / "checkpoints" / "step-00000002"


def test_a_phase_that_was_left_is_not_the_end_of_the_run(tmp_path: Path) -> None:
    job = Job(output=tmp_path / "run", argv=[], ranks_per_host=1, session="s",
              config=SupervisionConfig(), phases=[tmp_path / "first"])  # fmt: skip
    before = time.time() - 1
    EventLog(tmp_path / "first" / "events.jsonl").append("stop", step=3)

    assert job.was_left(before)
    assert not job.was_left(time.time() + 1)
