"""The environment lock: what a checkpoint ran on, for telling later why bits differ."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

from schemas.fingerprints import sha256_hex
from train.plugins import plugin_versions

# Environment variables whose names begin so are stored; others may hold secrets.
_VARIABLES = (
    "OMP_", "MKL_", "OPENBLAS_", "KMP_", "ATEN_", "DNNL_", "ONEDNN_", "TORCH_", "PYTORCH_",
    "NCCL_", "GLOO_", "CUDA_", "CUBLAS_", "WORLD_SIZE", "PYTHONHASHSEED",
)  # fmt: skip


def environment_lock(recipe: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Versions, commit, hardware, threads and variables that can change bits.

    Args:
        recipe: The settings of the run, whose plug-ins count by their content.
    """
    return {
        "python": platform.python_version(),
        "packages": _packages(),
        "plugins": plugin_versions(recipe or {}),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_sha256": _uncommitted(),
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "cpu_model": _cpu_model(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "cuda": torch.version.cuda,
        "threads": torch.get_num_threads(),
        "variables": {k: v for k, v in sorted(os.environ.items()) if k.startswith(_VARIABLES)},
    }


def changed_environment(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One line for each entry that differs and can change bits."""
    changes = [
        f"{key}: {before.get(key)} -> {now[key]}"
        for key in ("python", "machine", "cpu", "cpu_model", "accelerator", "cuda", "threads")
        if before.get(key) != now[key]
    ]
    earlier, current = before.get("plugins", {}), now.get("plugins", {})
    changes += [
        f"plug-in {name}: its code changed, {earlier[name][:12]} -> {current[name][:12]}"
        for name in sorted(earlier.keys() & current.keys())
        if earlier[name] != current[name]
    ]
    old, new = before.get("packages", {}), now["packages"]
    return changes + [
        f"{name}: {old.get(name)} -> {new.get(name)}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


@cache
def _packages() -> dict[str, str]:
    packages = importlib.metadata.distributions()
    return dict(sorted((item.metadata["Name"], item.version) for item in packages))


def _cpu_model() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "")


@cache
def _uncommitted() -> str | None:
    """SHA-256 of the changes that are not committed; None where there are none."""
    difference = _git("diff", "HEAD")
    return sha256_hex(difference.encode()) if difference else None


@cache
def _git(*arguments: str) -> str | None:
    """Output of git in the checkout; `None` for an installed package or without git."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
