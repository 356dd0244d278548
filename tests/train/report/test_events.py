"""A run's events: a line that is altered, lost or of another run is noticed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from schemas.errors import ContractError
from train.report.events import EventLog, FirstRankEvents, check_events, read_events


def three_events(path: Path) -> EventLog:
    log = EventLog(path)
    log.append("start", step=0)
    log.append("resume", step=4, world_size=2)
    log.append("stop", step=9)
    return log


def test_events_are_read_as_they_were_written(tmp_path: Path) -> None:
    log = three_events(tmp_path / "run" / "events.jsonl")

    events = read_events(log.path)

    assert events == log.events
    assert [(e["number"], e["kind"], e["step"]) for e in events] == [
        (0, "start", 0),
        (1, "resume", 4),
        (2, "stop", 9),
    ]
    assert events[1]["previous"] == events[0]["sha256"]


@pytest.mark.parametrize("line", [0, 1, 2])
def test_an_altered_line_is_named(tmp_path: Path, line: int) -> None:
    path = three_events(tmp_path / "events.jsonl").path
    lines = path.read_text().splitlines()
    lines[line] = lines[line].replace('"step": ', '"step": 1')
    path.write_text("\n".join(lines) + "\n")

    with pytest.raises(ContractError, match=f"line {line + 1} was altered"):
        read_events(path)


def test_a_lost_line_is_noticed(tmp_path: Path) -> None:
    path = three_events(tmp_path / "events.jsonl").path
    first, _, last = path.read_text().splitlines()
    path.write_text(f"{first}\n{last}\n")

    with pytest.raises(ContractError, match="line 2 was altered, or one before it is gone"):
        read_events(path)


def test_a_line_that_a_kill_cut_short_is_told_and_removed_by_the_next_writer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = three_events(tmp_path / "events.jsonl")
    with log.path.open("a") as file:
        file.write('{"number": 3, "ki')

    assert read_events(log.path) == log.events
    assert log.path.read_text().endswith("ki")  # who reads changes nothing: its writer may be at it
    opened_again = EventLog(log.path)
    opened_again.append("resume", step=9)

    assert opened_again.events[-1]["number"] == 3
    assert log.path.read_text().count("\n") == 4
    assert caplog.messages[-1].endswith("cut short by a kill: 17 bytes are dropped")


def test_two_writers_keep_one_chain(tmp_path: Path) -> None:
    rank, supervisor = (EventLog(tmp_path / "events.jsonl") for _ in range(2))

    rank.append("start", step=0)
    supervisor.append("attempt", step=0)
    rank.append("stop", step=4)
    supervisor.append("attempt_end", step=4)

    kinds = ["start", "attempt", "stop", "attempt_end"]
    assert [event["kind"] for event in read_events(rank.path)] == kinds
    assert [event["number"] for event in supervisor.events] == [0, 1, 2, 3]


def test_four_processes_that_append_at_once_keep_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            log = EventLog(path)
            for step in range(20):
                log.append(f"writer-{number}", step=step)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]

    events = read_events(path)

    assert len(events) == 80
    for number in range(4):
        own = [event["step"] for event in events if event["kind"] == f"writer-{number}"]
        assert own == list(range(20))


def test_a_line_altered_behind_the_back_of_a_writer_is_noticed(tmp_path: Path) -> None:
    log = three_events(tmp_path / "events.jsonl")
    with log.path.open("a") as file:
        file.write('{"kind": "made up", "previous": "0", "sha256": "0"}\n')

    with pytest.raises(ContractError, match="line 4 was altered"):
        log.append("stop", step=9)


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    log = three_events(tmp_path / "events.jsonl")
    with log.path.open("a") as file:
        file.write("nonsense\n")

    with pytest.raises(ContractError, match="line 4 was altered"):
        read_events(log.path)


def test_lines_that_the_disk_lost_come_back_from_the_checkpoint(tmp_path: Path) -> None:
    """A machine that goes down may lose lines that no fsync had reached."""
    log = three_events(tmp_path / "events.jsonl")
    kept = log.path.read_text().splitlines(keepends=True)[0]
    log.path.write_text(kept)
    opened_again = EventLog(log.path)

    opened_again.restore(log.events)

    assert read_events(log.path) == log.events


def test_a_new_folder_takes_the_events_of_the_checkpoint(tmp_path: Path) -> None:
    events = three_events(tmp_path / "events.jsonl").events
    moved = EventLog(tmp_path / "moved" / "events.jsonl")

    moved.restore(events[:2])

    assert read_events(moved.path) == events[:2]


def test_events_of_another_run_are_refused(tmp_path: Path) -> None:
    log = three_events(tmp_path / "events.jsonl")
    other = EventLog(tmp_path / "other.jsonl")
    other.append("start", step=0, seed=2)

    log.restore(log.events[:1])
    with pytest.raises(ContractError, match="not a continuation of the 1 events"):
        log.restore(other.events)


def test_the_chain_begins_with_zeros(tmp_path: Path) -> None:
    events = three_events(tmp_path / "events.jsonl").events

    assert json.loads(json.dumps(events)) == check_events(events, where="here")
    with pytest.raises(ContractError, match="here: line 1 was altered"):
        check_events(events[1:], where="here")


def test_a_rank_that_becomes_the_first_goes_on_with_the_file(tmp_path: Path) -> None:
    path, firsts = tmp_path / "events.jsonl", [False]
    lost = EventLog(path)
    lost.append("start", step=0)
    events = FirstRankEvents(path, lambda: firsts[0])
    events.append("spike", step=3)  # the first rank notes it
    assert events.events == []

    firsts[0] = True
    events.append("stop", step=5)

    assert [(event["kind"], event["step"]) for event in read_events(path)] == [
        ("start", 0),
        ("stop", 5),
    ]
    assert events.events == read_events(path)
