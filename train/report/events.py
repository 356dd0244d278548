"""`events.jsonl`: what changed the order of samples or the settings, as a chain of hashes.

The order of samples is computed, so a run needs no record of it. This file holds the exceptions:
the start, each resume and what had changed, changes of manifest, stops. Each line holds the SHA-256
of the line before, and each checkpoint holds the lines up to it, so that a line that is altered or
lost is noticed.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Protocol

from schemas.errors import ContractError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import finite, json_text
from train.checkpoint.durable import replace_text
from train.report.patient_file import PatientFile

EVENTS_NAME = "events.jsonl"
_FIRST = "0" * 64
Event = dict[str, Any]


class Events(Protocol):
    """What a run notes; see `EventLog`."""

    events: list[Event]

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


class EventLog:
    """Appends events to the file of a run; only the first rank has one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: PatientFile | None = None
        self.events = read_events(path) if path.is_file() else []

    def append(self, kind: str, *, step: int, **details: Any) -> None:
        """Write one line.

        Args:
            kind: What happened: `start`, `resume`, `manifest`, `stop` ...
            step: First step that the event concerns.
            details: Further fields, which JSON can hold.
        """
        body = {
            "number": len(self.events),
            "time": round(time.time(), 3),
            "kind": kind,
            "step": step,
            **details,
            "previous": self.events[-1]["sha256"] if self.events else _FIRST,
        }
        body = finite(body)
        event = {**body, "sha256": sha256_hex(canonical_json(body))}
        if self._file is None:
            self._file = PatientFile(self.path)
        self._file.write(json_text(event).encode() + b"\n")
        self.events.append(event)

    def restore(self, events: list[Event]) -> None:
        """Continue from the events of a checkpoint; events of lost later steps stay in the file.

        Raises:
            ContractError: The file does not begin with the events of the checkpoint.
        """
        if not self.events:
            self.events = check_events(events, where="the checkpoint")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lines = "".join(json_text(e) + "\n" for e in events)
            replace_text(self.path, lines)
        elif self.events[: len(events)] != events:
            raise ContractError(
                f"{self.path}: is not a continuation of the {len(events)} events in the checkpoint"
            )


def read_events(path: Path) -> list[Event]:
    """Events of a run; a last line that a kill cut short is removed from the file.

    Raises:
        ContractError: A hash does not fit; the message has the number of the line.
    """
    text = path.read_text(encoding="utf-8")
    whole, newline, rest = text.rpartition("\n")
    if rest:
        replace_text(path, whole + newline)
    return check_events([json.loads(line) for line in whole.split("\n") if line], where=str(path))


def check_events(events: list[Event], *, where: str) -> list[Event]:
    """Return the events if each holds the hash of the one before.

    Raises:
        ContractError: A hash does not fit; the message has the number of the line.
    """
    previous = _FIRST
    for number, event in enumerate(events):
        body = {key: value for key, value in event.items() if key != "sha256"}
        if event.get("previous") != previous or sha256_hex(canonical_json(body)) != event["sha256"]:
            raise ContractError(f"{where}: line {number + 1} was altered, or one before it is gone")
        previous = event["sha256"]
    return events
