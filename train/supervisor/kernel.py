"""What the kernel itself says: how many processes it has killed for memory."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

# The whole machine; the container's group (version 2, version 1).
_COUNTERS = (
    ("/proc/vmstat", "oom_kill"),
    ("/sys/fs/cgroup/memory.events", "oom_kill"),
    ("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill"),
)


def kernel_kills() -> int:
    """Processes that the kernel killed for want of memory, by the counter that knows of most."""
    found = [0]
    for path, name in _COUNTERS:
        with suppress(OSError, ValueError):
            lines = Path(path).read_text(encoding="ascii").splitlines()
            found += [int(line.split()[1]) for line in lines if line.split()[:1] == [name]]
    return max(found)
