from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from tools.archive import build_archive


def test_the_archive_runs_alone_with_its_data_files(tmp_path: Path) -> None:
    build_archive(tmp_path / "refinery.zip")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'refinery.zip')!r})\n"
        "import refinery.filters.rules as r\n"
        "assert '.zip' in r.__file__, r.__file__\n"
        "assert r.rules_for('zh', __import__('refinery.filters.config', fromlist=['x']).RulesConfig())\n"
    )

    # -P and another folder: the checkout itself must not be found.
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    build_archive(tmp_path / "a.zip")
    build_archive(tmp_path / "b.zip")

    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert "jobs/refine.py" in zipfile.ZipFile(tmp_path / "a.zip").namelist()
