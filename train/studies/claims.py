"""Who works on what, by locks on files: no server, no clock, and nothing stale.

A lock of the kernel goes with its process however that ends, so what a dead worker held is free at once. Between
hosts it holds where the file system passes locks on (NFS 4, Lustre with `flock`, GPFS).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from train.report.locks import take_lock, wait_for_lock

_SUFFIX = ".lock"


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
