"""Run a function on untrusted documents in a child process with limits set from outside.

One child per worker, fed through a pipe with several documents per message. A document that kills
its child (CPU time, memory, a crash in a C parser) becomes a `Killed` result; the next one goes on
in a new child. The child dies with its parent.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from refinery.clean.guarded_child import (
    MEMORY_EXIT,
    Child,
    Failed,
    Killed,
    Limits,
    Start,
    fork_child,
    memory_of,
)
from refinery.clean.line import Line

DocumentT = TypeVar("DocumentT")
ResultT = TypeVar("ResultT")

# The child does not wait for its next page while the guard reads its last answer.
MESSAGE_DOCUMENTS = 8
POLL_SECONDS = 0.2
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


# Our own limits end a child by MemoryError, by SIGABRT, or by our killing it, which we know of. Any
# other SIGKILL is the kernel's, for a machine out of memory: the document may be innocent, and load
# must not change the data. So the document has one more try, as the first one in a fresh child.
_KILLED_OUTSIDE = Killed("guard:memory", "the kernel killed the parser's process twice")


class Guard(Generic[DocumentT, ResultT]):
    """Maps a function over documents in a child process, which is replaced when it dies.

    Args:
        function: Called in the child, one document at a time. MemoryError and RecursionError
            become `Killed`, any other exception `Failed`; the next document goes on.
        limits: Of CPU time, memory and, where it is asked for, the clock.
        start: How the child comes to be.
    """

    def __init__(
        self,
        function: Callable[[DocumentT], ResultT],
        limits: Limits,
        start: Start = fork_child,
    ) -> None:
        self._function = function
        self._limits = limits
        self._start = start
        self._child: Child | None = None
        self._line: Line | None = None

    def map(self, documents: Sequence[DocumentT]) -> Iterator[ResultT | Killed | Failed]:
        """Results in the order of the documents."""
        for start in range(0, len(documents), MESSAGE_DOCUMENTS):
            yield from self._run(documents[start : start + MESSAGE_DOCUMENTS])

    def _run(self, documents: Sequence[DocumentT]) -> Iterator[ResultT | Killed | Failed]:
        done, tried_again = 0, -1
        while done < len(documents):
            results, killed = self._converse(self._connect(), documents[done:])
            yield from results
            done += len(results)
            if killed is not None:
                self.close()
                if killed is _KILLED_OUTSIDE and tried_again != done:
                    tried_again = done
                    continue
                yield killed
                done += 1

    def _converse(
        self, line: Line, documents: Sequence[DocumentT]
    ) -> tuple[list[ResultT | Killed | Failed], Killed | None]:
        """Send documents, collect results one by one; the first document without one was fatal."""
        results: list[ResultT | Killed | Failed] = []
        try:
            line.send_documents(documents)
            while len(results) < len(documents):
                fatal = self._wait(line)
                if fatal is not None:
                    return results, fatal
                results.append(line.receive())
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return results, self._post_mortem()
        return results, None

    def _wait(self, line: Line) -> Killed | None:
        """Wait for the next result, and look at what the child takes meanwhile.

        What it had taken before is read where a limit asks for it to the moment. Else it is read once the
        document has taken longer than nearly all do, which leaves it that much more.
        """
        assert self._child is not None
        pid, limits = self._child.pid or 0, self._limits
        is_timed = limits.wall_seconds is not None or limits.resident_bytes is not None
        before = _Usage.of(pid) if is_timed else None
        while not line.has_answer(POLL_SECONDS):
            now = _Usage.of(pid)
            before = before or now
            beyond = _beyond(limits, before, now)
            if beyond is not None:
                return beyond
            if not self._child.is_alive() and not line.has_answer(0):
                return self._post_mortem()
        return None

    def _post_mortem(self) -> Killed:
        assert self._child is not None
        self._child.join(1)
        code = self._child.exitcode
        if code == -signal.SIGKILL:
            return _KILLED_OUTSIDE
        if code in (-signal.SIGABRT, MEMORY_EXIT):
            told = f"over {self._limits.address_bytes} bytes of memory"
            return Killed("guard:memory", told if self._limits.address_bytes else "out of memory")
        return Killed("guard:crash", f"the parser's process ended with code {code}")

    def _connect(self) -> Line:
        if self._line is None:
            self._child, self._line = self._start(self._function, self._limits)
        return self._line

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.join()
            self._child = None
        if self._line is not None:
            self._line.close()
            self._line = None

    def __enter__(self) -> Guard[DocumentT, ResultT]:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@dataclass(frozen=True)
class _Usage:
    """What a process has taken so far."""

    cpu_seconds: float
    resident_bytes: int
    clock: float

    @classmethod
    def of(cls, pid: int) -> _Usage:
        return cls(_cpu_seconds(pid), memory_of(pid)[1], time.monotonic())


def _beyond(limits: Limits, before: _Usage, now: _Usage) -> Killed | None:
    """The first limit that a document has passed."""
    if now.cpu_seconds - before.cpu_seconds > limits.cpu_seconds:
        return Killed("guard:timeout", f"over {limits.cpu_seconds:g} s of CPU time")
    if limits.wall_seconds is not None and now.clock - before.clock > limits.wall_seconds:
        return Killed("guard:timeout", f"over {limits.wall_seconds:g} s by the clock")
    grown = now.resident_bytes - before.resident_bytes
    if limits.resident_bytes is not None and grown > limits.resident_bytes:
        return Killed("guard:memory", f"over {limits.resident_bytes} bytes of memory")
    return None


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process; 0 for a process that is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS
