"""One run, one writer: the folder of a run is held by a lock, and a second run in it is refused."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from schemas.errors import SettingsError
from train.distributed.world import World
from train.report.locks import InUseError, take_lock

logger = logging.getLogger(__name__)

LOCK_NAME = ".lock"
# A killed rank is gone before its successor starts, but its files may close a moment later.
_PATIENCE_SECONDS, _LOOK_SECONDS = 5.0, 0.2


@contextmanager
def only_writer(output: Path, world: World) -> Iterator[None]:
    """Hold the folder of a run while the block runs; all ranks enter it together.

    The first rank holds a lock of the kernel (`flock`), which goes with its process however that ends, so there are
    no stale ones. Between hosts it holds where the file system passes locks on (NFS, Lustre with `flock`, GPFS).

    Raises:
        InUseError: Another run holds the folder; the message says which process on which host.
        SettingsError: The folder cannot be written.
    """
    refusal, files = None, []
    if world.is_first:
        try:
            files.append(_hold(output))
        except InUseError as error:
            refusal = error
    if world.any(refusal is not None):
        raise refusal or InUseError()  # the first rank tells it
    world.when_first(lambda: files.append(_hold(output)))
    try:
        yield
    finally:
        for file in files:
            file.close()


def _hold(output: Path) -> TextIO:
    try:
        output.mkdir(parents=True, exist_ok=True)
        file = (output / LOCK_NAME).open("a+", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"output {output}: cannot be written ({error.strerror})") from error
    until = time.monotonic() + _PATIENCE_SECONDS
    while not take_lock(file):
        if time.monotonic() > until:
            file.seek(0)
            holder = file.read().strip() or "an unknown process"
            file.close()
            raise InUseError(f"{output}: in use by another run: {holder}")
        time.sleep(_LOOK_SECONDS)
    try:
        file.truncate(0)
        now = time.strftime("%Y-%m-%d %H:%M:%S %z")
        file.write(f"process {os.getpid()} on {socket.gethostname()}, since {now}\n")
        file.flush()
    except OSError as error:  # a full disk holds no name; the lock holds
        logger.warning("%s: who holds it could not be written (%s)", output, error.strerror)
    return file
