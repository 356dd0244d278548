"""The process in which a guard's function runs: how it starts, what it may take, what it answers.

A forked child has at once what its parent has loaded: for our parsers. A fresh one is an interpreter of
its own, for code that we do not know: libraries with threads (torch, OpenMP, CUDA) crash or wait for ever
in the fork of a process that has used them.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any, Protocol

from refinery.clean.line import Line, shared_memory

MEMORY_EXIT = 77
MESSAGE_CHARS = 300
PR_SET_PDEATHSIG = 1
# No file of a worker has a higher number.
_MOST_FILES = 4096
# What a fresh child runs. Arguments: the file number of its pipe, and its parent's path of imports.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from refinery.clean.guarded_child import serve_fresh; serve_fresh(int(sys.argv[1]))"
)

Function = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the child may take for one document; None where there is no such limit.

    Attributes:
        address_bytes: Address space on top of what the child starts with; the system refuses more.
        resident_bytes: Memory in use on top of what it was when the document came; looked at several
            times a second, so what CUDA reserves and does not use is not counted.
        wall_seconds: For functions that wait: parsers never do, and load would change their verdicts.
    """

    cpu_seconds: float
    address_bytes: int | None = None
    resident_bytes: int | None = None
    wall_seconds: float | None = None


@dataclass(frozen=True)
class Killed:
    """A document that ended the child, or that the child gave up; `reason` begins with `guard:`."""

    reason: str
    message: str


@dataclass(frozen=True)
class Failed:
    """A document for which the function raised an exception: a fault of ours, not a limit.

    `message` names the exception and where it was raised.
    """

    message: str
    reason: str = "guard:exception"


class Child(Protocol):
    """What a guard asks of its child, as `multiprocessing.Process` answers."""

    @property
    def pid(self) -> int | None: ...

    @property
    def exitcode(self) -> int | None: ...

    def is_alive(self) -> bool: ...

    def join(self, timeout: float | None = None) -> None: ...

    def kill(self) -> None: ...


Start = Callable[[Function, Limits], tuple[Child, Line]]


def fork_child(function: Function, limits: Limits) -> tuple[Child, Line]:
    """A copy of this process that answers through its line."""
    context = multiprocessing.get_context("fork")
    pipe, theirs = context.Pipe()
    shared = shared_memory()
    line = Line(theirs, shared)
    child = context.Process(target=_serve_forked, args=(line, function, limits), daemon=True)
    child.start()
    theirs.close()
    return child, Line(pipe, shared)


def start_child(function: Function, limits: Limits) -> tuple[Child, Line]:
    """A fresh interpreter that answers through its line, once it is ready; the function is pickled."""
    pipe, theirs = multiprocessing.Pipe()
    number = theirs.fileno()
    command = [sys.executable, "-c", _PROGRAM, str(number), *sys.path]
    child = _Started(subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(number,)))
    theirs.close()
    # Where it could not start, the guard finds it gone.
    with contextlib.suppress(EOFError, OSError):
        pipe.send((function, limits))
        pipe.recv()
    return child, Line(pipe)


class _Started:
    """A child of `subprocess`, asked like one of `multiprocessing`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid: int | None = process.pid

    @property
    def exitcode(self) -> int | None:
        return self._process.poll()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def join(self, timeout: float | None = None) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)

    def kill(self) -> None:
        self._process.kill()


def serve_fresh(number: int) -> None:
    """Run in a fresh child: the first message is the function with its limits."""
    pipe = Connection(number)
    function, limits = pipe.recv()
    pipe.send(None)
    _serve(Line(pipe), function, limits)


def _serve_forked(line: Line, function: Function, limits: Limits) -> None:
    _close_inherited(line)
    # What the worker had loaded is never garbage here: left alone, its memory pages stay shared.
    gc.freeze()
    _serve(line, function, limits)


def _serve(line: Line, function: Function, limits: Limits) -> None:
    """Run in the child: read documents, write results, and leave without exit handlers.

    `os._exit`, because a fork holds copies of the worker's sockets to the JVM.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if limits.address_bytes is not None:
        most = memory_of(os.getpid())[0] + limits.address_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            for document in line.receive_documents():
                line.send(_outcome(function, document))
    os._exit(0)


def _outcome(function: Function, document: object) -> object:
    try:
        return function(document)
    except MemoryError:
        os._exit(MEMORY_EXIT)
    except RecursionError:
        return Killed("guard:recursion", "nested deeper than the interpreter's stack")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of a library in Rust is no Exception
        return Failed(_described(error))


def _described(error: BaseException) -> str:
    """Type, message and last frame of an exception, on one line."""
    frames = traceback.extract_tb(error.__traceback__)
    at = ""
    if frames:
        # Two parts of the path tell which module it is, and are the same on every machine.
        file = "/".join(frames[-1].filename.split("/")[-2:])
        at = f" ({file}:{frames[-1].lineno} in {frames[-1].name})"
    message = " ".join(str(error).split())[:MESSAGE_CHARS]
    return f"{type(error).__name__}: {message}{at}"


def _close_inherited(line: Line) -> None:
    """Close the worker's sockets in the child; our line stays, and what code prints to."""
    kept = {0, 1, 2, line.fileno()}
    for stream in (sys.stdout, sys.stderr):  # some other file where output is captured
        with contextlib.suppress(OSError, ValueError, AttributeError):
            kept.add(stream.fileno())
    for before, after in pairwise([*sorted(kept), _MOST_FILES]):
        os.closerange(before + 1, after)


def memory_of(pid: int) -> tuple[int, int]:
    """Address space and resident memory of a process, in bytes; 0 for a process that is gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            total, resident = file.read().split()[:2]
    except OSError:
        return 0, 0
    return int(total) * resource.getpagesize(), int(resident) * resource.getpagesize()
