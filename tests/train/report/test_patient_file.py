"""What a full disk refuses waits, in order, and is written when there is room."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from schemas.errors import PipelineError
from train.report import patient_file
from train.report.events import EventLog, read_events
from train.report.metrics import MetricsFile
from train.report.patient_file import PatientFile


class Disk:
    """Stands in for `os.write` on a disk with room for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room, self._write = room, os.write

    def __call__(self, descriptor: int, data: bytes) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._write(descriptor, data[: self.room])
        self.room -= written
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk(room=1 << 30)
    monkeypatch.setattr(patient_file.os, "write", made)
    return made


def test_lines_wait_for_room_and_keep_their_order(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    file = PatientFile(tmp_path / "lines")
    disk.room = 4
    for line in (b"one\n", b"two\n", b"three\n"):
        file.write(line)
    assert (tmp_path / "lines").read_text() == "one\n"

    disk.room = 1 << 30
    file.write(b"four\n")

    assert (tmp_path / "lines").read_text() == "one\ntwo\nthree\nfour\n"
    (warning,) = caplog.messages
    assert warning == f"{tmp_path}/lines: No space left on device; its lines wait in memory"


def test_the_chain_of_events_survives_a_full_disk(tmp_path: Path, disk: Disk) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.append("start", step=0)
    disk.room = 10
    log.append("stop", step=5)
    disk.room = 1 << 30
    log.append("resume", step=5)

    assert [event["kind"] for event in read_events(log.path)] == ["start", "stop", "resume"]


def test_what_another_appends_meanwhile_comes_before_the_lines_that_wait(
    tmp_path: Path, disk: Disk
) -> None:
    log, other = (EventLog(tmp_path / "events.jsonl") for _ in range(2))
    log.append("start", step=0)
    disk.room = 10
    log.append("stop", step=5)
    disk.room = 1 << 30
    other.append("swap", step=4)

    log.append("resume", step=5)

    kinds = [event["kind"] for event in read_events(log.path)]
    assert kinds == ["start", "swap", "stop", "resume"]


def test_what_waits_is_bounded(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_file, "_MAX_WAITING_BYTES", 10)
    file = PatientFile(tmp_path / "lines")
    disk.room = 0

    with pytest.raises(PipelineError, match="No space left on device, and 11 bytes wait for room"):
        file.write(b"x" * 11)


def test_what_never_found_room_is_told(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    file = PatientFile(tmp_path / "lines")
    disk.room = 0
    file.write(b"1234")

    file.close()

    assert caplog.messages[-1] == f"{tmp_path}/lines: its last 4 bytes are lost"


def test_metrics_of_earlier_steps_survive_a_resume_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 0}\n{"step": 1}\n{"step": 2}\n')

    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        MetricsFile(path, resume_step=2)

    assert path.read_text() == '{"step": 0}\n{"step": 1}\n{"step": 2}\n'
