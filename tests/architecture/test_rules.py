"""Rules of the code base that a reader cannot see in one file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text().splitlines()
# Their results depend on partitions: docs/decisions/0001.
BANNED = (
    "monotonically_increasing_id", "repartitionByRange", ".sample(", "F.rand(", "dropDuplicates",
    "except Exception", "suppress(Exception", "shuffle(rand",
)  # fmt: skip


def _sources(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("word", BANNED)
def test_partition_dependent_operations_are_not_used(word: str) -> None:
    found = []
    for path in _sources("refinery", "jobs"):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            code = line.split("#")[0]
            if word in code and "generator.sample(" not in code:
                found.append(f"{path.relative_to(ROOT)}:{number}")

    assert found == []


def test_the_lock_pins_public_versions_only() -> None:
    pins = [line for line in LOCK if line and not line.startswith("#")]

    assert [
        pin for pin in pins if not re.match(r"^[A-Za-z0-9._-]+==[0-9][^+@/ ]*( ;.*)?$", pin)
    ] == []
    assert [pin for pin in pins if pin.startswith(("nvidia", "cuda", "triton"))] == []
    assert {"torch==2.13.0", "pyspark==4.3.0", "fasttext-community==0.11.9"} <= set(pins)
    assert any(pin.startswith("pandas==2.") for pin in pins)


@pytest.mark.parametrize(
    "verb", ["explain", "verify", "trace", "plan", "report", "gate", "init", "doctor", "clean"]
)
def test_verbs_that_need_no_spark_do_not_import_it(verb: str) -> None:
    code = (
        f"import sys, jobs.command.{verb}; "
        "sys.exit(any(m.split('.')[0] in ('pyspark', 'torch') for m in sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60)

    assert done.returncode == 0


def test_an_unknown_setting_ends_with_exit_2_before_spark_starts(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "recipe:\n  name: x\n  sources: [{name: a, uri: a, format: text}]\n"
        "  dedup: {treshold: 0.5}\nruntime: {output: out}\n"
    )
    started = time.process_time()

    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "jobs.command.main", "refine", "--recipe", str(recipe)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 2
    assert "recipe.dedup.treshold: unknown key; did you mean 'threshold'?" in done.stderr
    assert "pyspark" not in done.stderr
    assert time.process_time() - started < 1


# Lines of a file, by the folder of jobs that it is in; a script only names what it runs.
LONGEST = {
    ".": 80,
    "stages": 160,
    "pipeline": 200,
    "spark": 160,
    "ablation": 160,
    "command": 200,
    "demo": 300,
}


def test_every_job_is_short_and_named_like_no_standard_module() -> None:
    jobs = ROOT / "jobs"
    long = {
        path.relative_to(jobs).as_posix(): count
        for path in jobs.rglob("*.py")
        if (count := len(path.read_text("utf-8").splitlines()))
        > LONGEST[path.parent.relative_to(jobs).as_posix()]
    }

    assert long == {}
    # spark-submit puts the script's folder first on the path of imports.
    assert {path.stem for path in jobs.glob("*")} & sys.stdlib_module_names == set()


def test_public_functions_say_what_they_return() -> None:
    bare = []
    for path in _sources("schemas", "pages", "refinery", "jobs", "train"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            is_public = isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
            if is_public and node.returns is None:
                bare.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")

    assert bare == []


def test_no_file_names_a_path_of_a_machine() -> None:
    words = ("/wo" + "rk/", "/ro" + "ot/", "/opt/whe" + "els", "../sha" + "red/")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    found = [
        f"{name}: {word}"
        for name in listed
        if (ROOT / name).is_file()
        for word in words
        if word in (ROOT / name).read_text("utf-8", errors="ignore")
    ]

    assert found == []
