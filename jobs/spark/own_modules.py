"""Interpreters that import what this one does, whatever the working directory holds."""

from __future__ import annotations

import os
from pathlib import Path


def with_own_modules() -> dict[str, str]:
    """Environment variables of such an interpreter.

    `python -m` looks into the working directory first, and people have folders named `jobs` and `schemas`.
    """
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(paths)}
