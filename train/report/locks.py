"""Locks of the kernel on files (`flock`): they go with their process, however that ends."""

from __future__ import annotations

import fcntl
import logging
from typing import IO, Any

from schemas.errors import PipelineError
from train.report.events import NO_LOCKS

logger = logging.getLogger(__name__)


class InUseError(PipelineError):
    """Another process writes into the folder of a run."""


def take_lock(file: IO[Any]) -> bool:
    """Take the lock, unless another process has it; a file system without locks keeps nobody out."""
    return _lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def wait_for_lock(file: IO[Any]) -> None:
    """Take the lock as soon as no other process has it."""
    _lock(file, fcntl.LOCK_EX)


def _lock(file: IO[Any], how: int) -> bool:
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        logger.warning(
            "%s: this file system has no locks; nothing keeps a second run out", file.name
        )
    return True
