"""Memory and CPU time of all processes below one, read from /proc (Linux).

A Python worker of Spark and the guarded child that it forks share most of their pages. The resident
size (Rss) counts a shared page for each of them, the proportional size (Pss) divides it among those
who share it.
"""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Sequence
from pathlib import Path

SAMPLE_SECONDS = 0.1
KB_PER_MB = 1000 / 1.024  # of /proc, whose kB are 1,024 bytes


def descendants(root: int) -> list[tuple[int, int, str]]:
    """(process id, its parent's, command line) of all children and their children."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:  # it has ended
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    below = []
    for pid in parents:
        above = pid
        while above in parents and above != root:
            above = parents[above]
        if above == root and pid != root:
            try:
                raw = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            below.append((pid, parents[pid], raw.replace(b"\0", b" ").decode(errors="replace")))
    return below


def memory_kb(pid: int) -> dict[str, int]:
    """Rss and Pss of a process in kB of 1,024 bytes; empty where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":") for line in lines[1:])
    return {name: int(value.split()[0]) for name, value in pairs if name in ("Rss", "Pss")}


def tree_bytes(root: int) -> int:
    """Proportional size of a process and of all below it."""
    processes = [root, *(pid for pid, _, _ in descendants(root))]
    return sum(memory_kb(pid).get("Pss", 0) * 1024 for pid in processes)


def cpu_seconds(root: int) -> float:
    """CPU seconds of this process, of all living descendants of `root` and of what these waited for."""
    ticks = 0
    for pid, _, _ in descendants(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(fields[i]) for i in (11, 12, 13, 14))
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    times = own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
    return ticks / os.sysconf("SC_CLK_TCK") + times


class WorkerMemory(threading.Thread):
    """Samples the largest sizes of a Spark worker, of its guarded child, and of both, in MB.

    Args:
        root: Process below which Spark runs.
    """

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.peaks = dict.fromkeys(
            ("worker_resident", "child_resident", "worker", "worker_with_child"), 0.0
        )
        self.jvm_resident = 0.0
        self._root = root
        self._done = threading.Event()

    def run(self) -> None:
        """Sample until `stop` is called."""
        while not self._done.wait(SAMPLE_SECONDS):
            self._sample(descendants(self._root))

    def stop(self) -> dict[str, int]:
        """End sampling; returns MB by name."""
        self._done.set()
        self.join()
        return {name: round(value) for name, value in self.peaks.items()}

    def _sample(self, processes: Sequence[tuple[int, int, str]]) -> None:
        sizes = {pid: memory_kb(pid) for pid, _, _ in processes}
        python = {pid: parent for pid, parent, command in processes if _is_worker(command)}
        for pid, _, command in processes:
            if "java" in command.split(" ", 1)[0]:
                resident = sizes[pid].get("Rss", 0) / KB_PER_MB
                self.jvm_resident = max(self.jvm_resident, resident)
        for pid, parent in python.items():
            # The daemon forks the workers, a worker its child; the daemon's own parent is the JVM.
            depth = 0
            above = parent
            while above in python:
                depth, above = depth + 1, python[above]
            resident = sizes[pid].get("Rss", 0) / KB_PER_MB
            own = sizes[pid].get("Pss", 0) / KB_PER_MB
            if depth == 1:
                below = sum(sizes[p].get("Pss", 0) for p, above in python.items() if above == pid)
                self._note("worker_resident", resident)
                self._note("worker", own)
                self._note("worker_with_child", own + below / KB_PER_MB)
            elif depth > 1:
                self._note("child_resident", resident)

    def _note(self, name: str, value: float) -> None:
        self.peaks[name] = max(self.peaks[name], value)


def _is_worker(command: str) -> bool:
    # What the daemon is started with; the JVM's own line names the daemon's module.
    return "pyspark.worker" in command.split()
