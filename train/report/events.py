"""`events.jsonl`: what changed the order of samples or the settings, as a chain of hashes.

The order of samples is computed, so a run needs no record of it. This file holds the exceptions:
the start, each resume and what had changed, changes of manifest, stops, and each attempt of a run that is
supervised. Each line holds the SHA-256
of the line before, and each checkpoint holds the lines up to it, so that a line that is altered or
lost is noticed.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from schemas.errors import ContractError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import finite, json_text
from train.report.patient_file import FULL_DISK

logger = logging.getLogger(__name__)

EVENTS_NAME = "events.jsonl"
_FIRST, _LINKS = "0" * 64, ("number", "previous", "sha256")
# What a file system without locks answers; its only writer is the first rank.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
Event = dict[str, Any]


class Events(Protocol):
    """What a run notes; see `EventLog`."""

    @property
    def events(self) -> list[Event]:
        """The chain so far."""

    def append(self, kind: str, *, step: int, **details: Any) -> None:
        """Note that something happened."""

    def restore(self, events: list[Event]) -> None:
        """Go on from the events of a checkpoint."""


class NoEvents:
    """Notes nothing: the first rank alone keeps the file."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def append(self, kind: str, *, step: int, **details: Any) -> None:
        pass

    def restore(self, events: list[Event]) -> None:
        pass


class FirstRankEvents:
    """The events of a run as each of its ranks holds them: the first one alone reads and writes the file.

    Which rank that is may change while the run goes on.
    """

    def __init__(self, path: Path, is_first: Callable[[], bool]) -> None:
        self._path, self._is_first = path, is_first
        self._log = EventLog(path) if is_first() else None

    @property
    def events(self) -> list[Event]:
        log = self._opened()
        return [] if log is None else log.events

    def append(self, kind: str, *, step: int, **details: Any) -> None:
        log = self._opened()
        if log is not None:
            log.append(kind, step=step, **details)

    def restore(self, events: list[Event]) -> None:
        log = self._opened()
        if log is not None:
            log.restore(events)

    def _opened(self) -> EventLog | None:
        if self._log is None and self._is_first():
            self._log = EventLog(self._path)
        return self._log


class EventLog:
    """Appends events to the file of a run.

    Several processes may append (the first rank, its supervisor, a verb): each holds the file for the moment of
    an append and reads first what the others have written, so that the chain stays one. What a full disk
    refuses waits in memory for the next append.

    Attributes:
        events: The chain as this process knows it, with what waits at its end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[Event] = []
        self._num_waiting, self._read_bytes = 0, 0
        self.refresh()

    def append(self, kind: str, *, step: int, **details: Any) -> None:
        """Write one line.

        Args:
            kind: What happened: `start`, `resume`, `manifest`, `stop` ...
            step: First step that the event concerns.
            details: Further fields, which JSON can hold.
        """
        body = {"time": round(time.time(), 3), "kind": kind, "step": step, **details}
        try:
            with self._held() as descriptor:
                self._chain(body)
                self._flush(descriptor)
        except OSError as error:
            if error.errno not in FULL_DISK:
                raise
            if not self._num_waiting:
                self._chain(body)
            logger.warning("%s: %s; its lines wait in memory", self.path, error.strerror)

    def refresh(self) -> list[Event]:
        """Read what others have appended since; returns all events."""
        if self.path.is_file():
            with self._held():
                pass
        return self.events

    def restore(self, events: list[Event]) -> None:
        """Continue from the events of a checkpoint; events of lost later steps stay in the file.

        Raises:
            ContractError: The file does not begin with the events of the checkpoint.
        """
        check_events(events, where="the checkpoint")
        with self._held() as descriptor:
            known = len(self.events)
            if self.events[: len(events)] != events[:known]:
                raise ContractError(
                    f"{self.path}: is not a continuation of the {len(events)} events in the checkpoint"
                )
            # The folder is new, or the machine went down before the disk had the last lines.
            self.events += events[known:]
            self._num_waiting = len(self.events) - known
            self._flush(descriptor)

    def _chain(self, body: Event) -> None:
        previous = self.events[-1]["sha256"] if self.events else _FIRST
        linked = finite({"number": len(self.events), **body, "previous": previous})
        self.events.append({**linked, "sha256": sha256_hex(canonical_json(linked))})
        self._num_waiting += 1

    @contextmanager
    def _held(self) -> Iterator[int]:
        """The file, which this process alone may write, after what others have appended was read."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
            self._read_on(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)

    def _read_on(self, descriptor: int) -> None:
        """Take in what others appended; a last line that a kill cut short is removed and told."""
        size = os.fstat(descriptor).st_size
        data = os.pread(descriptor, max(size - self._read_bytes, 0), self._read_bytes)
        whole, newline, rest = data.rpartition(b"\n")
        if rest:
            os.ftruncate(descriptor, size - len(rest))
            logger.warning(
                "%s: its last line was cut short by a kill: %d bytes are dropped",
                self.path,
                len(rest),
            )
        if not whole:
            return
        self._read_bytes += len(whole + newline)
        first = len(self.events) - self._num_waiting
        waiting, self.events[first:] = self.events[first:], _parse(whole)
        check_events(
            self.events[max(first - 1, 0) :], where=str(self.path), first=max(first - 1, 0)
        )
        self._num_waiting = 0
        for event in waiting:
            self._chain({key: event[key] for key in event if key not in _LINKS})

    def _flush(self, descriptor: int) -> None:
        """Write what waits, or nothing of it.

        Raises:
            OSError: The disk refuses.
        """
        if not self._num_waiting:
            return
        size = os.fstat(descriptor).st_size
        lines = (json_text(event) + "\n" for event in self.events[-self._num_waiting :])
        data = "".join(lines).encode()
        left = data
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        self._read_bytes, self._num_waiting = size + len(data), 0


def read_events(path: Path) -> list[Event]:
    """Events of a run, as they are now; a last line that is cut short is told and left to the next writer.

    Raises:
        ContractError: A hash does not fit; the message has the number of the line.
    """
    whole, _, rest = path.read_bytes().rpartition(b"\n")
    if rest:
        logger.warning("%s: its last line is cut short and not read", path)
    return check_events(_parse(whole), where=str(path))


def _parse(lines: bytes) -> list[Event]:
    """Events by line; a line that is no JSON becomes one that no hash fits."""
    events: list[Event] = []
    for line in lines.split(b"\n"):
        try:
            event = json.loads(line) if line else None
        except ValueError:
            event = {}
        if event is not None:
            events.append(event if isinstance(event, dict) else {})
    return events


def check_events(events: list[Event], *, where: str, first: int = 0) -> list[Event]:
    """Return the events if each holds the hash of the one before.

    Args:
        events: The chain, or an end of it.
        where: What the error names.
        first: Number of the first of them in the chain; what lies before it is not checked.

    Raises:
        ContractError: A hash does not fit; the message has the number of the line.
    """
    previous = events[0].get("previous") if first and events else _FIRST
    for number, event in enumerate(events, first):
        body = {key: value for key, value in event.items() if key != "sha256"}
        is_whole = sha256_hex(canonical_json(body)) == event.get("sha256")
        if event.get("previous") != previous or not is_whole:
            raise ContractError(f"{where}: line {number + 1} was altered, or one before it is gone")
        previous = event["sha256"]
    return events
