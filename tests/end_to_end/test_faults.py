"""Killed, or out of disk, and started again: the same root, as if nothing had happened."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from schemas.manifest import Manifest
from tests.support.killing import Victim, debris, published, run_and_kill
from tests.support.submitting import (
    SUBMIT_SECONDS,
    refine,
    refine_command,
    spark_environment,
)

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

# A stage is killed as soon as its attempt has a file: in the middle of its work. The benchmark
# `benchmarks/refinery/kills.py` kills at thirty moments drawn over the whole run.
KILLS: tuple[tuple[str, Victim], ...] = (
    ("clean", "jvm"),
    ("dedup", "driver"),
    ("tokenise", "worker"),
)


def test_three_kills_leave_no_trace(corpus: Path, undisturbed: Manifest, tmp_path: Path) -> None:
    output = tmp_path / "out"
    done: dict[str, str] = {}
    for stage, victim in KILLS:

        def writes(seconds: float, folder: Path = output / "tables" / stage) -> bool:
            # Spark moves folders while this looks; a walk passes over what is gone.
            return any(files for _, _, files in os.walk(folder))

        killed = run_and_kill(refine_command(corpus, output, "local[2]"), victim, writes)

        assert killed, f"{stage} ended before it could be killed"
        # Spark can do without a worker that has nothing to do.
        assert victim == "worker" or stage not in published(output)
        assert done.items() <= published(output).items(), "a finished stage was repeated"
        done = published(output)

    manifest = refine(corpus, output, "local[2]")

    assert manifest.root == undisturbed.root
    assert done.items() <= published(output).items()
    assert debris(output, manifest) == []


def test_a_full_disk_is_named_and_the_next_run_recovers(
    corpus: Path, undisturbed: Manifest, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    refine = shlex.join(refine_command(corpus, disk / "out", "local[2]"))
    # A file system of its own, small at first, in a mount namespace that needs no rights.
    script = (
        f"mount -t tmpfs -o size=800k tmpfs {disk} || exit 99\n"
        f"{refine} > {tmp_path}/full.log 2>&1; echo $?\n"
        f"mount -o remount,size=100m {disk}\n"
        f"{refine} > {tmp_path}/free.log 2>&1; echo $?\n"
        f"cat {disk}/out/dataset/manifest.json\n"
    )

    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        env=spark_environment(),
        capture_output=True,
        text=True,
        timeout=2 * SUBMIT_SECONDS,
        check=False,
    )

    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no mount namespace here: {done.stderr.strip()}")
    full, free, manifest = done.stdout.split("\n", 2)
    assert (full, free) == ("1", "0"), (tmp_path / "free.log").read_text()[-2000:]
    lines = (tmp_path / "full.log").read_text().splitlines()
    assert any(f"{disk}/out" in line and "no space left on the device" in line for line in lines)
    assert Manifest.model_validate_json(manifest).root == undisturbed.root
