"""The lock file from a resolver's answer, without the network."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import lock


def test_pins_are_sorted_and_runtimes_of_accelerators_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = "torch==2.0\nnvidia-cublas-cu12==1\nPyYAML==6.0\ntriton==3\nabsl-py==2\n\n"
    asked: list[list[str]] = []

    def run(command: list[str], **named: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, stdout=answer)

    monkeypatch.setattr(lock.subprocess, "run", run)

    lock.main([str(tmp_path / "lock")])

    text = (tmp_path / "lock").read_text("utf-8")
    assert text.startswith(lock.HEADER)
    names = [line.split("==")[0] for line in text.splitlines() if not line.startswith("#")]
    assert names == sorted(["absl-py", "PyYAML", "torch", *(e.split("==")[0] for e in lock.EXTRA)],
                           key=str.lower)  # fmt: skip
    assert "--universal" in asked[1]


def test_one_file_is_asked_for() -> None:
    with pytest.raises(SystemExit, match="2"):
        lock.main([])
