"""The environment lock: what a checkpoint ran on, for telling later why bits differ."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

_PACKAGES = ("torch", "numpy", "pyarrow", "pydantic", "transformers", "safetensors", "tokenizers")
_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "WORLD_SIZE", "CUDA_VISIBLE_DEVICES")


def environment_lock() -> dict[str, Any]:
    """Versions, commit, hardware, threads and variables that can change bits."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "commit": _commit(),
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }


def changed_environment(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One line for each entry that differs and can change bits."""
    return [
        f"{key}: {before.get(key)} -> {now[key]}"
        for key in ("python", "packages", "machine", "cpu", "accelerator", "threads")
        if before.get(key) != now[key]
    ]


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Commit of the checkout; `None` for an installed package or without git."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
