"""Where an interpreter of ours finds our packages: a checkout is named, what is installed is found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobs.spark import own_modules
from jobs.spark.own_modules import with_own_modules


def test_a_checkout_comes_before_what_the_caller_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/theirs")
    root = Path(own_modules.__file__).resolve().parents[2]

    assert with_own_modules() == {
        "PYTHONSAFEPATH": "1", "PYTHONPATH": f"{root}{os.pathsep}/theirs",
    }  # fmt: skip


def test_site_packages_stay_behind_the_standard_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site-packages" / "jobs" / "spark" / "own_modules.py"
    monkeypatch.setattr(own_modules, "__file__", str(installed))

    assert with_own_modules() == {"PYTHONSAFEPATH": "1"}
