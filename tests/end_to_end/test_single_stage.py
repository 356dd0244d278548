"""A stage submitted alone, by its own script."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from refinery.publish.records import StageRecord
from tests.support.submitting import SUBMIT_SECONDS, spark_environment, spark_home


def submit(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(spark_home() / "bin" / "spark-submit"), "--master", "local[2]"]
    command += ["--driver-memory", "1g", "--conf", "spark.ui.enabled=false", script, *arguments]
    return subprocess.run(
        command, env=spark_environment(), capture_output=True, text=True,
        timeout=SUBMIT_SECONDS, check=False,
    )  # fmt: skip


@pytest.mark.spark
@pytest.mark.slow
def test_a_stage_runs_alone_where_those_before_it_are_published(
    corpus: Path, tmp_path: Path
) -> None:
    arguments = ("--recipe", str(corpus), "--set", f"runtime.output={tmp_path}")

    early = submit("jobs/tokenise_documents.py", *arguments)
    done = submit("jobs/ingest_documents.py", *arguments)

    assert early.returncode == 2
    assert "--from tokenise: stage 'ingest' is not published yet" in early.stdout + early.stderr
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    (record,) = (tmp_path / "tables" / "ingest").glob("*.json")
    assert StageRecord.model_validate_json(record.read_bytes()).counts["documents"] > 300
    tables = {path.name for path in (tmp_path / "tables").iterdir() if path.is_dir()}
    # Beside the stage stands what outputs need of shared tables.
    assert tables - {"runs"} == {"ingest"}
