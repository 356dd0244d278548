"""Both programs name one version, and only installed code has one."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from schemas import version
from schemas.version import code_version

ROOT = Path(__file__).resolve().parents[2]


def test_the_version_has_a_dated_section_in_the_changelog() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert f"## {project['version']} - 20" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert project["name"] == version.DISTRIBUTION


@pytest.mark.parametrize("program", ["jobs.command.main", "train"])
def test_both_programs_say_their_version(program: str) -> None:
    command = [sys.executable, "-m", program, "--version"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    name = "refinery" if program.startswith("jobs") else "train"
    assert done.stdout == f"{name} {code_version()}\n"


def test_source_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "DISTRIBUTION", "a-name-that-nobody-installs")

    assert code_version() == "unknown"
