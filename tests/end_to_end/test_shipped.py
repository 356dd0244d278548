"""Jobs run from the archive alone, as on a cluster where our packages are not installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from refinery.publish.store import Store
from tests.support.corpus import write_corpus
from tests.support.submitting import SUBMIT_SECONDS, spark_environment, spark_home
from tools.archive import build_archive

pytestmark = [pytest.mark.spark, pytest.mark.slow]

# The archive goes before site-packages, so what runs is what was shipped; these lines prove it.
PROBE = """\
import refinery, jobs, schemas
assert all('.zip' in m.__file__ for m in (refinery, jobs, schemas)), refinery.__file__
"""


def test_single_jobs_run_from_the_archive(tmp_path: Path) -> None:
    recipe = write_corpus(tmp_path / "corpus", documents=40)
    build_archive(tmp_path / "refinery.zip")
    for name in ("ingest_documents", "train_quality", "clean_documents"):
        job = tmp_path / f"{name}.py"
        shutil.copyfile(f"jobs/{name}.py", job)
        job.write_text(job.read_text().replace("if __name__", f"{PROBE}\nif __name__"))

        done = subprocess.run(
            [str(spark_home() / "bin" / "spark-submit"), "--master", "local[2]", "--driver-memory", "1g",
             "--conf", "spark.ui.enabled=false", "--py-files", str(tmp_path / "refinery.zip"),
             str(job), "--recipe", str(recipe)],
            env=spark_environment(), cwd=tmp_path, capture_output=True, text=True,
            timeout=SUBMIT_SECONDS, check=False,
        )  # fmt: skip

        assert done.returncode == 0, done.stderr[-3000:]
    records = list((tmp_path / "corpus" / "out" / "tables" / "clean").glob("*.json"))
    assert len(records) == 1
    record = Store(str(tmp_path / "corpus" / "out" / "tables")).record("clean", records[0].stem)
    assert record is not None
    assert record.tables["cleaned"].rows > 30
