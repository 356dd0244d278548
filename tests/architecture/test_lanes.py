"""A test cannot start more than its marks say, so `--fast` is fast whoever adds one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lanes import NO_SPARK, mark_of_command
from tests.support.ranks import run_on_ranks

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("command", "mark"),
    [
        (["/x/bin/spark-submit", "--version"], "spark"),
        (["/x/bin/java", "-jar", "a.jar"], "spark"),
        (["/x/bin/java", "-version"], None),
        ([sys.executable, "-m", "torch.distributed.run", "-m", "train", "pretrain"], "distributed"),
        ([sys.executable, "-m", "train", "selftest"], "distributed"),
        ([sys.executable, "-m", "train", "plan"], None),
        (["/usr/bin/chromium", "--headless"], "browser"),
        (["git", "ls-files"], None),
        ([], None),
    ],
)
def test_a_command_needs_the_mark_for_what_it_starts(command: list[str], mark: str | None) -> None:
    assert mark_of_command(command) == mark


def test_a_jvm_without_the_mark_is_refused() -> None:
    with pytest.raises(AssertionError, match="needs the mark `spark`"):
        subprocess.run(["spark-submit", "--version"], check=False)


def test_ranks_without_the_mark_are_refused() -> None:
    with pytest.raises(AssertionError, match="needs the mark `distributed`"):
        run_on_ranks(print, 2)


def test_children_of_a_test_without_the_mark_find_no_spark() -> None:
    assert os.environ["SPARK_HOME"] == NO_SPARK


@pytest.mark.spark
def test_the_mark_allows_a_jvm() -> None:
    assert os.environ.get("SPARK_HOME") != NO_SPARK
    with pytest.raises(FileNotFoundError):
        subprocess.run(["/no/such/spark-submit"], check=False)


@pytest.mark.slow
def test_tests_of_a_file_or_of_a_folder_with_common_runs_share_a_process(tmp_path: Path) -> None:
    for file in ("tests/docs/test_a.py", "tests/docs/test_b.py", "tests/train/test_c.py", "tests/train/test_d.py"):  # fmt: skip
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "import os, time, pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_one(n):\n"
            f"    time.sleep(0.2); open({str(path)!r} + '.log', 'a').write(f'{{os.getpid()}} ')\n"
        )
    command = [
        "-p",
        "tests.support.scheduling",
        "--numprocesses",
        "2",
        "--dist",
        "loadgroup",
        "--rootdir",
        ".",
        "-q",
    ]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *command, "tests"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "16 passed" in done.stdout, done.stdout + done.stderr
    ran = {path.stem[5]: set(path.read_text().split()) for path in tmp_path.rglob("*.log")}
    assert all(len(processes) == 1 for processes in ran.values())
    assert ran["a"] == ran["b"] != ran["c"]
