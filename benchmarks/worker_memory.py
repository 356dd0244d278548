"""Peak memory of Spark's Python workers below one process, sampled.

A worker and the guarded child that it forks share most of their pages. The resident size counts a
shared page for each of them, the proportional size (PSS) divides it among those who share it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from benchmarks.dedup_stage import descendants, memory_kb

SAMPLE_SECONDS = 0.1
KB_PER_MB = 1000 / 1.024


class WorkerMemory(threading.Thread):
    """Largest sizes of one worker, of one guarded child, and of a worker with its child, in MB.

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
        """Sample until stopped."""
        while not self._done.wait(SAMPLE_SECONDS):
            self._sample(descendants(self._root))

    def stop(self) -> dict[str, int]:
        """End sampling; returns MB."""
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
    return "pyspark" in command and "daemon" in command
