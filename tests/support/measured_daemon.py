"""Spark's Python daemon under coverage: its workers save what they ran.

Spark ends idle workers with SIGKILL and the others with SIGHUP, so none of them reaches the end at
which coverage.py saves. `spark.python.daemon.module` names this module while tests are measured.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from typing import Any

import coverage
from pyspark import daemon

SAVE_SECONDS = 0.5
_serve = daemon.worker


def _save() -> None:
    measured = coverage.Coverage.current()
    if measured is not None:
        measured.save()


def _leave(signal_number: int, frame: object) -> None:
    _save()
    os.kill(os.getpid(), signal.SIGKILL)


def _measured_worker(sock: socket.socket, authenticated: bool) -> int:  # noqa: FBT001
    # Imported after the fork, as the daemon does it: libraries start threads when they are loaded.
    from pyspark import worker

    run_task = worker.main
    last = 0.0

    def main(infile: Any, outfile: Any) -> None:
        nonlocal last
        signal.signal(signal.SIGHUP, _leave)
        run_task(infile, outfile)
        if time.monotonic() - last > SAVE_SECONDS:
            _save()
            last = time.monotonic()

    worker.main = main
    try:
        return int(_serve(sock, authenticated))
    finally:
        worker.main = run_task


if __name__ == "__main__":
    daemon.worker = _measured_worker
    sys.exit(daemon.manager())
