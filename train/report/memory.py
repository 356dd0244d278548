"""The memory that a rank has held, for metrics and the progress line."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

# `ru_maxrss` counts kilobytes on Linux and bytes on macOS.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_STATUS = Path("/proc/self/status")


def peak_memory_bytes(device: torch.device) -> int:
    """The most bytes that this process has held: of tensors on an accelerator, of everything on a CPU.

    Linux carries `ru_maxrss` over from the process that started this one, however large that was; the high
    water mark of the status is this process's own.
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        status = _STATUS.read_text(encoding="ascii", errors="replace")
    except OSError:  # not Linux
        status = ""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
