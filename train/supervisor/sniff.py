"""The examination of a host: cheap proofs that it computes, remembers, writes and sends what it should.

A host is taken out of a run only with such a proof. Each test returns its fault in words, with both sides.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch

_SIZE = 256
# The products are whole numbers below 2^24: every order of summation gives the same bits.
_PRODUCT_SHA256 = "5df6837276ed67d6605fec06e077f811f1dc86f241b8b1ef62285908574d560a"
_PATTERN_BYTES, _DISK_BYTES, _LOOPBACK_BYTES = 64 << 20, 4 << 20, 32 << 20
_SLOWEST_LOOPBACK, _SLOWEST_SECONDS = 20e6, 30.0
_CLOCK_SECONDS, _CLOCK_DRIFT, _CLOCK_TRIES = 0.2, 0.05, 4


def sniff(scratch: Path) -> list[str]:
    """Examine this host; returns its faults, none for one that is well."""
    tests: tuple[Callable[[], str | None], ...] = (
        wrong_product, wrong_memory, lambda: wrong_disk(scratch), slow_loopback, wrong_clock,
    )  # fmt: skip
    return [fault for test in tests if (fault := test()) is not None]


def product_sha256() -> str:
    """SHA-256 of a product of two matrices of small whole numbers."""
    numbers = torch.arange(_SIZE * _SIZE)
    left = (numbers * 7919 % 251 - 125).reshape(_SIZE, _SIZE).to(torch.float32)
    right = (numbers * 104729 % 241 - 120).reshape(_SIZE, _SIZE).to(torch.float32)
    return hashlib.sha256((left @ right).numpy().tobytes()).hexdigest()


def wrong_product() -> str | None:
    """Multiply matrices and compare with a checksum that is known."""
    found = product_sha256()
    if found == _PRODUCT_SHA256:
        return None
    return f"matrix product: SHA-256 {found[:16]}..., expected {_PRODUCT_SHA256[:16]}..."


def wrong_memory() -> str | None:
    """Write two patterns into memory and read them back."""
    held = torch.empty(_PATTERN_BYTES, dtype=torch.uint8)
    for pattern in (0x55, 0xAA):
        held.fill_(pattern)
        wrong = int((held != pattern).sum())
        if wrong:
            return f"memory: {wrong} of {_PATTERN_BYTES} bytes are not {pattern:#x} as written"
    return None


def wrong_disk(scratch: Path) -> str | None:
    """Write to the disk, wait for it, and read back past the cache of the file."""
    path = scratch / f".sniff-{os.getpid()}"
    data = os.urandom(_DISK_BYTES)
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        found = path.read_bytes()
    except OSError as error:
        return f"disk {scratch}: {error.strerror}"
    finally:
        path.unlink(missing_ok=True) if scratch.is_dir() else None
    if found != data:
        wrong = sum(a != b for a, b in zip(found, data, strict=False))
        return f"disk {scratch}: {wrong} of {_DISK_BYTES} bytes differ from what was written"
    return None


def slow_loopback() -> str | None:
    """Send through the network stack and measure the bandwidth."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = threading.Thread(target=_send, args=(server,), daemon=True)
        sender.start()
        started, received = time.monotonic(), 0
        with socket.create_connection(server.getsockname(), timeout=_SLOWEST_SECONDS) as link:
            while data := link.recv(1 << 20):
                received += len(data)
    rate = received / (time.monotonic() - started)
    if received < _LOOPBACK_BYTES:
        return f"loopback: {received} of {_LOOPBACK_BYTES} bytes arrived"
    if rate < _SLOWEST_LOOPBACK:
        return f"loopback: {rate / 1e6:.1f} MB/s, expected {_SLOWEST_LOOPBACK / 1e6:.0f}"
    return None


def _send(server: socket.socket) -> None:
    link, _ = server.accept()
    with link:
        link.sendall(bytes(_LOOPBACK_BYTES))


def wrong_clock() -> str | None:
    """Compare how far the clock that steps are timed by and the clock of the calendar go.

    Tried again where they differ: this process may have waited between the two readings.
    """
    for _ in range(_CLOCK_TRIES):
        steady, calendar = time.monotonic(), time.time()
        time.sleep(_CLOCK_SECONDS)
        gone, told = time.monotonic() - steady, time.time() - calendar
        if abs(gone - told) <= _CLOCK_DRIFT:
            return None
    return f"clock: {told:.3f} s by the calendar while {gone:.3f} s went by"
