"""What torchrun announced; needs neither torch nor a process group."""

from __future__ import annotations

import os


def world_size_of_environment() -> int:
    """Number of ranks that torchrun started; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))
