"""Locks of the kernel on local folders: they go with their process, so there are no stale ones.

Object stores have none: there two runs may race, and the first record wins.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from schemas.errors import PipelineError

LOCK_FILE, CLAIMS_FILE = ".lock", ".claims"
# A lock of one byte at an offset that the name decides; offsets fit into a signed 64-bit number.
_OFFSET_DIGITS = 15


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep every other process out of a folder.

    Raises:
        PipelineError: Another process holds it; its number is named.
    """
    with _opened(folder) as file:
        _take(file, fcntl.LOCK_EX, folder)
        yield


@contextlib.contextmanager
def shared(folder: Path, alone: Callable[[], object]) -> Iterator[None]:
    """Use a folder beside others that share it.

    Args:
        folder: What is shared.
        alone: Called first where nobody else uses the folder at that moment.

    Raises:
        PipelineError: A process holds it for itself; its number is named.
    """
    with _opened(folder) as file:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sign(file)
            alone()
        _take(file, fcntl.LOCK_SH, folder)
        yield


@contextlib.contextmanager
def claimed(folder: Path, name: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Do one thing of a shared folder, by the hexadecimal name of it, in one process at a time.

    Args:
        folder: The shared folder.
        name: Name of the thing, a hexadecimal hash.
        waiting: Called before this process waits for another one that does it already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    offset = int(name[:_OFFSET_DIGITS], 16)
    with (folder / CLAIMS_FILE).open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        except (BlockingIOError, PermissionError):
            waiting()
            fcntl.lockf(file, fcntl.LOCK_EX, 1, offset)
        yield


def _opened(folder: Path) -> TextIO:
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / LOCK_FILE).open("a+")


def _take(file: TextIO, kind: int, folder: Path) -> None:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        raise PipelineError(f"{folder}: in use by another run (process {holder})") from error
    _sign(file)


def _sign(file: TextIO) -> None:
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
