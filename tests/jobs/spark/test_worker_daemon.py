"""Workers of a local run are forked from a process that has read what they need, and has one thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, os, sys
import pyarrow as pa
from jobs.launch import local_spark
from jobs.spark.session import build_session, end_session, start_python
from refinery.recipe import Runtime

def tell(batches):
    for batch in batches:
        kernels = sys.modules["refinery.text.batch"].scan_text
        told = {
            "daemon": open(f"/proc/{os.getppid()}/cmdline").read().split("\\0"),
            "threads": len(os.listdir(f"/proc/{os.getppid()}/task")),
            "compiled": kernels._call is not None,
        }
        yield pa.RecordBatch.from_pydict({"told": [json.dumps(told)]})

if __name__ == "__main__":
    output = sys.argv[1]
    with local_spark(output, with_ui=False, conf=()):
        session = build_session("told", Runtime(output=output))
        start_python(session)
        print(session.range(1).coalesce(1).mapInArrow(tell, "told string").collect()[0]["told"])
        end_session(session)
"""


@pytest.mark.spark
def test_a_worker_has_its_kernels_and_its_daemon_one_thread(tmp_path: Path) -> None:
    script = tmp_path / "scripts" / "told.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    for name in ("jobs", "schemas"):  # of somebody who works here
        package = tmp_path / "work" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise ImportError('another package')\n")

    # The other tests' Spark has settings of its own.
    environment = {k: v for k, v in os.environ.items() if k != "PYSPARK_SUBMIT_ARGS"}

    done = subprocess.run(
        [sys.executable, script, tmp_path / "run"],
        capture_output=True, text=True, check=False, env=environment, cwd=tmp_path / "work",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert "jobs.spark.worker_daemon" in told["daemon"]
    assert told["compiled"]
    assert told["threads"] == 1
