"""A file that a run appends to, which a full disk delays and does not end."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

from schemas.errors import PipelineError

logger = logging.getLogger(__name__)

FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MAX_WAITING_BYTES = 64_000_000


class PatientFile:
    """Appends at once what it is given; what the disk has no room for waits in memory for the next time.

    Attributes:
        waiting: What is not written yet.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.waiting = b""
        self._path, self._is_told, self._is_closed = path, False, False
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def write(self, data: bytes) -> None:
        """Append bytes, after those that wait.

        Raises:
            PipelineError: The disk has been full for so long that too much waits.
        """
        if self._is_closed:
            raise ValueError(f"{self._path}: write to closed file")
        self.waiting += data
        try:
            while self.waiting:
                self.waiting = self.waiting[os.write(self._descriptor, self.waiting) :]
        except OSError as error:
            self._wait(error)
        else:
            self._is_told = False

    def close(self) -> None:
        """Try once more; what still finds no room is told."""
        self.write(b"")
        self._is_closed = True
        os.close(self._descriptor)
        if self.waiting:
            logger.warning("%s: its last %d bytes are lost", self._path, len(self.waiting))

    def _wait(self, error: OSError) -> None:
        if error.errno not in FULL_DISK:
            raise error
        if len(self.waiting) > _MAX_WAITING_BYTES:
            raise PipelineError(
                f"{self._path}: {error.strerror}, and {len(self.waiting):,} bytes wait for room; free "
                "space and run the same command"
            ) from error
        if not self._is_told:
            logger.warning("%s: %s; its lines wait in memory", self._path, error.strerror)
        self._is_told = True
