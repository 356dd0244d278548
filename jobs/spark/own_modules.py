"""Interpreters that import what this one does, whatever the working directory holds."""

from __future__ import annotations

import os
from pathlib import Path


def with_own_modules() -> dict[str, str]:
    """Environment variables of such an interpreter.

    `python -m` looks into the working directory first, and people have folders named `jobs` and `schemas`.
    """
    found = {"PYTHONSAFEPATH": "1"}
    root = Path(__file__).resolve().parents[2]
    if (root / "pyproject.toml").is_file():
        # A checkout, which need not be installed. Site packages stay behind the standard library, where they are.
        paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
        found["PYTHONPATH"] = os.pathsep.join(paths)
    return found
