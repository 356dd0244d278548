"""What a rank is doing, told to its supervisor where it has one.

A rank passes through named sections. Each entry and each return is one datagram on a local socket: a
supervisor learns from it how long a section takes, which one a rank hangs in, and which of several ranks is the odd
one out. Without a supervisor a section costs a comparison.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal, NamedTuple, get_args

Section = Literal["start", "data", "forward-backward", "reduce", "step", "checkpoint", "evaluation"]
SECTIONS: tuple[Section, ...] = get_args(Section)
# In these a rank waits for the others; in all other sections it is its own work that takes time.
WAITING: frozenset[Section] = frozenset({"reduce", "checkpoint"})
# The number of the socket that a supervisor gives to its ranks.
SOCKET_VARIABLE = "TRAIN_SUPERVISOR_SOCKET"
MAX_BYTES = 60_000
_WORDS_SECONDS = 2.0
TOLD_OF_GENERATION = 10**9

Observer = Callable[[Section, int], None]


class Regrouping(NamedTuple):
    """The ranks that go on without a lost one.

    Attributes:
        generation: How often ranks were lost in this attempt.
        ranks: Their numbers when the attempt began.
    """

    generation: int
    ranks: list[int]


class Reporter:
    """The rank's end of the socket.

    Attributes:
        learnt: The longest seconds by section that the supervisor knows of; checkpoints keep them.
        regrouping: The last order to go on without some ranks.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end, self._told = end, 0
        self.step = -1
        self.open: list[Section] = ["start"]
        self.learnt: dict[str, float] = {}
        self.regrouping = Regrouping(0, [])

    def tell(self, section: Section) -> None:
        """Say which section begins, or goes on after an inner one."""
        self._told += 1
        self._send(
            {"section": section, "step": self.step, "told": self._told, "at": time.monotonic()}
        )

    def align(self, generation: int) -> None:
        """Count sections from the same number as the other ranks that go on: who is behind is told by it."""
        self._told = generation * TOLD_OF_GENERATION

    def last_words(self, words: dict[str, Any]) -> None:
        """Say what ends this rank; waits a moment for who is busy."""
        self._end.settimeout(_WORDS_SECONDS)
        self._send({"words": words, "at": time.monotonic()})

    def listen(self) -> None:
        """Take in what the supervisor has sent: the newest times, and who goes on."""
        while True:
            try:
                data = self._end.recv(MAX_BYTES)
            except (BlockingIOError, ConnectionError):
                return
            if not data:
                return
            message = json.loads(data)
            self.learnt = message.get("learnt", self.learnt)
            if "ranks" in message:
                self.regrouping = Regrouping(message["generation"], message["ranks"])

    def await_regrouping(self, *, after: int, seconds: float) -> Regrouping | None:
        """Wait for the order to go on without some ranks, of a later generation; None where none comes in time."""
        until = time.monotonic() + seconds
        while True:
            self.listen()
            left = until - time.monotonic()
            if self.regrouping.generation > after:
                return self.regrouping
            if left <= 0 or not select.select([self._end], [], [], left)[0]:
                return None

    def _send(self, message: dict[str, Any]) -> None:
        with suppress(
            OSError
        ):  # none is there, or it is busy: a rank never waits for who watches it
            self._end.send(json.dumps(message).encode()[:MAX_BYTES])


_reporter: Reporter | None = None
_observers: list[Observer] = []


def attach() -> Reporter | None:
    """Report from here on, if a supervisor started this process."""
    global _reporter
    number = os.environ.get(SOCKET_VARIABLE)
    if number is not None and _reporter is None:
        _reporter = Reporter(socket.socket(fileno=int(number)))
        _reporter.tell("start")
    return _reporter


def observe(observer: Observer) -> None:
    """Have a function called at each entry into a section, with the step: for injected faults."""
    _observers.append(observer)


@contextmanager
def section(name: Section, *, step: int | None = None) -> Iterator[None]:
    """Be in a section while the block runs; after it the outer section goes on.

    Args:
        name: What is done.
        step: The step that it is done for, where it is another than before.
    """
    reporter = _reporter
    if reporter is None and not _observers:
        yield
        return
    if reporter is not None:
        reporter.step = reporter.step if step is None else step
        reporter.open.append(name)
        reporter.tell(name)
    for observer in _observers:
        observer(name, -1 if step is None else step)
    try:
        yield
    except BaseException:
        if reporter is not None:
            reporter.open.pop()  # it is not told: what ends a rank is to be found where it rose
        raise
    if reporter is not None:
        reporter.open.pop()
        reporter.tell(reporter.open[-1])


def learnt_seconds() -> dict[str, float] | None:
    """What a checkpoint keeps for the next supervisor; None where there is none."""
    if _reporter is None:
        return None
    _reporter.listen()
    return _reporter.learnt


def current_reporter() -> Reporter | None:
    """The rank's end of the socket; None where nobody supervises."""
    return _reporter
