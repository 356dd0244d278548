"""The memory that a rank has held, for metrics and the progress line."""

from __future__ import annotations

import resource
import sys

import torch

# `ru_maxrss` counts kilobytes on Linux and bytes on macOS.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def peak_memory_bytes(device: torch.device) -> int:
    """The most bytes that this process has held: of tensors on an accelerator, of everything on a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
