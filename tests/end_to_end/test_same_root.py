"""The same recipe gives the same content root, wherever and however it runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.manifest import Manifest
from tests.support.ranks import free_ports
from tests.support.submitting import refine, spark_environment, spark_home

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

START_SECONDS = 60


def test_every_stage_had_work(undisturbed: Manifest) -> None:
    rows = {stage.stage: stage.rows for stage in undisturbed.stages}

    assert rows["ingest"]["rejects"] == 2
    assert rows["ingest"]["refetches"] == 1
    assert rows["dedup"]["duplicates"] == 8
    assert rows["decontaminate"]["contamination"] == 4
    assert len(undisturbed.train.shards) > 1
    assert undisturbed.heldout.rows > 0


def test_one_core_other_partitions_and_shuffled_input_give_the_same_root(
    corpus: Path, undisturbed: Manifest, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(corpus.parent, moved, ignore=shutil.ignore_patterns("out", "recipe.yaml"))
    # Another place and other times of the files: neither is content.
    for number, path in enumerate(sorted(moved.rglob("*.*"), reverse=True)):
        os.utime(path, (1_000_000 + number, 1_000_000 + number))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(corpus.read_text().replace(str(corpus.parent), str(moved)))

    manifest = refine(
        recipe, tmp_path / "out", "local[1]", "--conf", "spark.sql.files.maxPartitionBytes=100000"
    )

    assert manifest.root == undisturbed.root


def test_a_standalone_cluster_gives_the_same_root(
    corpus: Path, undisturbed: Manifest, tmp_path: Path
) -> None:
    with _cluster(tmp_path, workers=2) as master:
        manifest = refine(
            corpus,
            tmp_path / "out",
            master,
            "--executor-memory", "600m",
            "--conf", "spark.driver.host=127.0.0.1",
            "--conf", "spark.executor.cores=1",
        )  # fmt: skip

    assert manifest.root == undisturbed.root


@contextmanager
def _cluster(folder: Path, *, workers: int) -> Iterator[str]:
    """A master and workers on loopback; all end with the block."""
    port = free_ports(1)[0]
    master = f"spark://127.0.0.1:{port}"
    base = [str(spark_home() / "bin" / "spark-class")]
    deploy = "org.apache.spark.deploy"
    commands = [
        [*base, f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(port),
         "--webui-port", "0"],
        *([*base, f"{deploy}.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "1g",
           "--webui-port", "0", "--work-dir", str(folder / f"worker{n}"), master]
          for n in range(workers)),
    ]  # fmt: skip
    log = folder / "cluster.log"
    processes = []
    try:
        with log.open("wb") as out:
            for command in commands:
                processes.append(
                    subprocess.Popen(command, env=spark_environment(), stdout=out, stderr=out)
                )
        _wait_for_workers(log, workers)
        yield master
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)


def _wait_for_workers(log: Path, workers: int) -> None:
    end = time.monotonic() + START_SECONDS
    while len(re.findall("Successfully registered with master", log.read_text())) < workers:
        assert time.monotonic() < end, f"the cluster did not start:\n{log.read_text()[-2000:]}"
        time.sleep(0.5)
