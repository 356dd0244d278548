"""Who works on what, by locks on files: no server, no clock, and nothing stale.

A lock of the kernel goes with its process however that ends, so what a dead worker held is free at once. Between
hosts it holds where the file system passes locks on (NFS 4, Lustre with `flock`, GPFS).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from schemas.errors import PipelineError
from train.report.locks import take_lock, wait_for_lock

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
_SUFFIX = ".lock"


class AskedToStopError(PipelineError):
    """The worker was asked to end (SIGTERM); what it worked on is saved and is taken up again."""


@contextmanager
def claim(folder: Path, name: str) -> Iterator[bool]:
    """Hold a piece of work while the block runs, unless somebody else does; says whether it is held."""
    file = _open(folder, name)
    try:
        if not take_lock(file):
            yield False
            return
        _sign(file)
        yield True
    finally:
        file.close()


@contextmanager
def held(folder: Path, name: str) -> Iterator[None]:
    """Wait until a piece of work is free, and hold it while the block runs."""
    file = _open(folder, name)
    try:
        wait_for_lock(file)
        _sign(file)
        yield
    finally:
        file.close()


def share(
    names: Sequence[str],
    folder: Path,
    is_done: Callable[[str], bool],
    do: Callable[[str], object],
    *,
    look_seconds: float = LOOK_SECONDS,
) -> None:
    """Do all pieces of work, each by one worker, together with whoever else does them; ends when all are done.

    Args:
        names: In the order in which they are taken.
        folder: Of the locks.
        is_done: Whether a piece has its result.
        do: Does a piece; afterwards it is done.
        look_seconds: Pause between two looks at pieces that others hold.
    """
    while left := [name for name in names if not is_done(name)]:
        if not any(_take(name, folder, is_done, do) for name in left):
            held_by = holder(folder, left[0]) or "a worker that ended"
            logger.info("%d left, held by others, %s by %s", len(left), left[0], held_by)
            time.sleep(look_seconds)


def _take(
    name: str, folder: Path, is_done: Callable[[str], bool], do: Callable[[str], object]
) -> bool:
    """Do a piece unless somebody else does or has; says whether it was done here."""
    with claim(folder, name) as is_mine:
        if not is_mine or is_done(name):
            return False
        do(name)
    return True


def holder(folder: Path, name: str) -> str | None:
    """Who holds a piece of work; None where nobody does."""
    path = folder / (name + _SUFFIX)
    if not path.is_file():
        return None
    with path.open("a+", encoding="utf-8") as file:
        if take_lock(file):
            return None
        file.seek(0)
        return file.read().strip() or "an unknown process"


def _open(folder: Path, name: str) -> TextIO:
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / (name + _SUFFIX)).open("a+", encoding="utf-8")


def _sign(file: TextIO) -> None:
    file.truncate(0)
    now = time.strftime("%Y-%m-%d %H:%M:%S %z")
    file.write(f"process {os.getpid()} on {socket.gethostname()}, since {now}\n")
    file.flush()
