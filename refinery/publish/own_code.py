"""Functions of the user's own over documents: shipped to executors, and guarded document by document.

How they are found and versioned: schemas/own_code.py. What is not installed on the executors
(`site-packages`) is sent to them.
"""

from __future__ import annotations

import sysconfig
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from schemas.fingerprints import canonical_json, sha256_hex
from schemas.own_code import exception_in_words, source_files
from schemas.settings import Settings

FAILED = "python:exception"
# Documents of one call: what a bad one makes to be tried again is bounded.
BATCH = 64

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
# Runs a call on a batch somewhere else; raises OwnCodeError.
Run = Callable[[Callable[[Sequence[Any]], Sequence[Any]], Sequence[Any]], Any]


class OwnCodeLimits(Settings):
    """What a call of a function of one's own may take; a batch beyond it is tried one by one."""

    cpu_seconds: float = Field(default=120.0, gt=0, description="CPU time of a call, all threads")
    wall_seconds: float | None = Field(
        default=1200.0, gt=0, description="time of a call by the clock; None: it may wait for ever"
    )
    memory_bytes: int | None = Field(
        default=4_000_000_000,
        gt=0,
        description="memory that a call adds, with a model that the first call loads; None: no limit",
    )


@dataclass(frozen=True)
class Failure:
    """Why a function has no answer for a document: the reason of a reject, and its message."""

    reason: str
    message: str


class OwnCodeError(Exception):
    """A call that was stopped, or raised in another process."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class WrongAnswerError(Exception):
    """A function of the user's own returned something else than it should."""


def write_bundle(names: Sequence[str], folder: Path) -> Path | None:
    """A zip of all code that executors lack, named by its content; None where all is installed."""
    installed = [Path(sysconfig.get_path(key)) for key in ("purelib", "platlib", "stdlib")]
    files: dict[str, Path] = {}
    for name in names:
        own = source_files(name)
        if not any(path.is_relative_to(root) for path in own.values() for root in installed):
            files |= own
    if not files:
        return None
    content = {key: sha256_hex(path.read_bytes()) for key, path in sorted(files.items())}
    bundle = folder / f"own-code-{sha256_hex(canonical_json(content))[:16]}.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        for key, path in sorted(files.items()):
            archive.write(path, key)
    return bundle


def run_each(
    call: Callable[[Sequence[ItemT]], Sequence[ResultT]], items: Sequence[ItemT], *, name: str
) -> tuple[list[ResultT | None], dict[int, Failure]]:
    """Call a function on batches of items; where it raises, on each item by itself.

    Returns:
        A result for each item, None where there is none, and by index of those items what happened.
    """
    results: list[ResultT | None] = []
    failures: dict[int, Failure] = {}
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        parts = [batch]
        while parts:
            part = parts.pop(0)
            answers, failure = _try(call, part, name)
            if failure is not None and len(part) > 1:
                parts = [[one] for one in part]
                continue
            if failure is not None:
                failures[len(results)] = failure
            results += answers
    return results, failures


def _try(
    call: Callable[[Sequence[ItemT]], Sequence[ResultT]], items: Sequence[ItemT], name: str
) -> tuple[list[ResultT | None], Failure | None]:
    try:
        return list(_answers(call, items)), None
    except KeyboardInterrupt:
        raise
    except OwnCodeError as error:
        return [None], Failure(error.reason, f"{name}: {error}")
    except BaseException as error:  # whatever it raises, an end of the process too
        return [None], Failure(FAILED, f"{name}: {exception_in_words(error)}")


def _answers(
    call: Callable[[Sequence[ItemT]], Sequence[ResultT]], items: Sequence[ItemT]
) -> Sequence[ResultT]:
    answers = call(items)
    if len(answers) != len(items):
        raise WrongAnswerError(f"{len(answers)} answers to {len(items)} documents")
    return answers
