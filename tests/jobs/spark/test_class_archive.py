from __future__ import annotations

import subprocess
from pathlib import Path

from jobs.spark.class_archive import FIRST_COMPILER, class_archive, jvm_options
from jobs.spark.java import find_java


def _start(options: str) -> subprocess.CompletedProcess[str]:
    java = find_java().home / "bin" / "java"
    command = [str(java), *options.split(), "-Xshare:auto", "-version"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_without_an_archive_spark_starts_as_it_is(tmp_path: Path) -> None:
    assert jvm_options(tmp_path / "none.jsa") == FIRST_COMPILER


def test_a_broken_archive_is_left_aside_in_silence(tmp_path: Path) -> None:
    broken = tmp_path / "spark.jsa"
    broken.write_bytes(b"cut off")
    options = jvm_options(broken)
    done = _start(options)
    assert str(broken) in options
    assert (done.returncode, done.stdout) == (0, "")


def test_the_archive_belongs_to_one_spark_and_one_java(tmp_path: Path) -> None:
    assert class_archive(tmp_path).parent == tmp_path / "java-home"
    assert class_archive(tmp_path).name.endswith(f"-java-{find_java().major}.jsa")


def test_compiled_code_has_room_for_a_run_of_hours() -> None:
    """The first compiler alone has 48 MB by default, and says 'CodeCache is full' within minutes."""
    java = find_java().home / "bin" / "java"
    command = [str(java), *FIRST_COMPILER.split(), "-XX:+PrintFlagsFinal", "-version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    (line,) = [one for one in done.stdout.splitlines() if " ReservedCodeCacheSize " in one]
    assert int(line.split("=")[1].split()[0]) == 240 << 20
