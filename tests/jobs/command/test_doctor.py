"""`refinery doctor`: a line per need, exit 2 where one is not met."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from jobs.command import doctor
from jobs.spark.java import Java
from schemas.errors import SettingsError


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    return doctor.run(parser.parse_args(arguments))


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with Java and enough memory."""
    monkeypatch.setattr(doctor, "find_java", lambda: Java(Path("/java"), 21))
    monkeypatch.setattr(doctor, "LEAST_MEMORY", 1)


@pytest.mark.usefixtures("sound")
def test_a_sound_machine_has_a_line_per_need(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--output", str(tmp_path / "not" / "there")) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "ok       java", "ok       packages", "ok       language model", "ok       memory",
        "ok       output",
    ]  # fmt: skip
    assert lines[0] == "ok       java: version 21 in /java"
    # The nearest folder that is there is the one that is tried.
    assert lines[-1].startswith(f"ok       output: {tmp_path}: ")


@pytest.mark.usefixtures("sound")
def test_every_problem_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_java() -> Java:
        raise SettingsError("no Java 17 or newer; install a JRE")

    monkeypatch.setattr(doctor, "find_java", no_java)
    monkeypatch.setattr(doctor, "PACKAGES", ("pyarrow", "no_such_package"))
    monkeypatch.setattr(doctor, "LEAST_MEMORY", 1 << 60)

    assert run() == 2

    said = capsys.readouterr().out
    assert "problem  java: no Java 17 or newer; install a JRE" in said
    assert "problem  packages: missing no_such_package; pip install" in said
    assert "a local run wants 1152921505 GB" in said


@pytest.mark.usefixtures("sound")
def test_a_folder_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--output", "/proc/refinery") == 2

    assert "/proc cannot be written" in capsys.readouterr().out
