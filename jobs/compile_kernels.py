"""Compile every kernel of the refinery and keep the code, so that no worker has to.

    python -m jobs.compile_kernels   # `make venv` does it; in an image, after the packages are installed

Without it the first worker that needs a kernel compiles it, and keeps it where it may write.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import time
from pathlib import Path

import refinery
from refinery.compiled import Kernel
from schemas.errors import run_main

_DECORATED = re.compile(r"^@(?:bare_|inner_)?kernel$", re.MULTILINE)


def kernels() -> list[Kernel[..., object]]:
    """All kernels of the package, by module and in the order of their lines."""
    root = Path(refinery.__path__[0])
    found: list[Kernel[..., object]] = []
    for path in sorted(root.rglob("*.py")):
        if _DECORATED.search(path.read_text("utf-8")):
            parts = path.relative_to(root.parent).with_suffix("").parts
            values = vars(importlib.import_module(".".join(parts))).values()
            own = ".".join(parts)
            found += [v for v in values if isinstance(v, Kernel) and v.function.__module__ == own]
    return found


def main(argv: list[str]) -> int:
    """Compile what is not in the cache yet."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(argv)
    start = time.process_time()
    all_kernels = kernels()
    for each in all_kernels:
        each.compile()
    seconds = time.process_time() - start
    print(f"{len(all_kernels)} kernels ready after {seconds:.0f} CPU s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    run_main(main)
