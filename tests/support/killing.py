"""Kill a running refinery at a chosen moment, and look at what it left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from refinery.publish.records import StageRecord
from schemas.manifest import Manifest
from tests.support.submitting import SUBMIT_SECONDS, spark_environment

Victim = Literal["jvm", "driver", "worker"]
MARK = "REFINERY_KILL_TEST"
ORPHAN_SECONDS = 30


def run_and_kill(command: list[str], victim: Victim, is_time: Callable[[float], bool]) -> bool:
    """Start a run and send SIGKILL to one of its processes when it is time.

    Args:
        command: As `refine_command` makes it.
        victim: The driver's JVM, the driver's Python, or a Python worker of an executor.
        is_time: Asked often with the seconds since the start.

    Returns:
        Whether a process was killed before the run ended by itself.
    """
    mark = uuid.uuid4().hex
    environment = {**spark_environment(), MARK: mark}
    started, killed = time.monotonic(), False
    run = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while run.poll() is None and not killed:
            assert time.monotonic() - started < SUBMIT_SECONDS, "the run hangs"
            if is_time(time.monotonic() - started):
                killed = _kill_one(mark, victim)
            time.sleep(0.05)
        run.wait(SUBMIT_SECONDS)
        _wait_for_orphans(mark)
    finally:
        for pid in _marked(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return killed


def _kill_one(mark: str, victim: Victim) -> bool:
    """Kill one of that kind, at work where there is a choice."""
    found = [pid for pid in _marked(mark) if _kind(pid) == victim]
    for pid in sorted(found, key=lambda pid: _status(pid)[:1] != [b"R"]):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def _kind(pid: int) -> Victim | None:
    words = _read(pid, "cmdline").split(b"\0")
    if b"org.apache.spark.deploy.SparkSubmit" in words:
        return "jvm"
    if b"pyspark.worker" in words:
        # The daemon forks workers, workers fork guarded children; all keep its command line.
        parent = _parent(pid)
        is_worker = b"pyspark.worker" in _read(parent, "cmdline")
        return "worker" if is_worker and _kind(_parent(parent)) == "jvm" else None
    is_driver = any(word.endswith(b"jobs/refine.py") for word in words) and b"python" in words[0]
    return "driver" if is_driver else None


def _parent(pid: int) -> int:
    return int((_status(pid) or [b"", b"0"])[1])


def _status(pid: int) -> list[bytes]:
    """State, parent and so on: what follows the command's name in /proc/PID/stat."""
    return _read(pid, "stat").rsplit(b")", 1)[-1].split()


def _marked(mark: str) -> list[int]:
    wanted = f"{MARK}={mark}".encode()
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in sorted(pids) if wanted in _read(pid, "environ").split(b"\0")]


def _read(pid: int, name: str) -> bytes:
    try:
        return (Path("/proc") / str(pid) / name).read_bytes()
    except OSError:
        return b""


def _wait_for_orphans(mark: str) -> None:
    """Every process of a run whose driver died ends by itself."""
    end = time.monotonic() + ORPHAN_SECONDS
    while left := _marked(mark):
        assert time.monotonic() < end, f"still alive: {[_read(pid, 'cmdline') for pid in left]}"
        time.sleep(0.2)


def published(output: Path) -> dict[str, str]:
    """Attempt by stage of what is published so far."""
    records = sorted((output / "tables").glob("*/*.json"))
    return {path.parent.name: StageRecord.model_validate_json(path.read_bytes()).attempt
            for path in records}  # fmt: skip


def debris(output: Path, manifest: Manifest) -> list[Path]:
    """Files and folders of a finished run that neither a record nor the manifest names."""
    attempts = published(output)
    left = [
        path
        for path in (output / "tables").glob("*/*")
        if path.is_dir() and path.name != attempts.get(path.parent.name)
    ]
    left += [path for path in output.rglob("*") if "_temporary" in path.parts]
    shards = {shard.path for split in (manifest.train, manifest.heldout) for shard in split.shards}
    expected = {*shards, "manifest.json", "README.md", manifest.tokenizer.path}
    left += [path for path in (output / "dataset").iterdir() if path.name not in expected]
    return left
