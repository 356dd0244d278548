"""The quickstart runs once; tutorials go on in its folder, as a reader would."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.pages import ROOT, Command, PageRun


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Command]]:
    """The folder that the quickstart leaves, and what its commands printed."""
    folder = tmp_path_factory.mktemp("quickstart")
    return folder, PageRun("quickstart.md", folder).run()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the packages that a page may change."""
    copy = tmp_path / "repository"
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("schemas", "refinery", "jobs", "train"):
        shutil.copytree(ROOT / package, copy / package, ignore=ignored)
    shutil.copyfile(ROOT / "pyproject.toml", copy / "pyproject.toml")
    return copy
