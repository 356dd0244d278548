"""Results as files: what was measured, and on what machine, of which commit, by which command.

A figure that a page cites is read from `results/NAME.json`. Every program here ends in `record`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("numpy", "pyarrow", "pyspark", "tokenizers", "torch", "transformers")
# Taken when a program imports this module: its own work is not yet in it.
LOAD_BEFORE = os.getloadavg()[0]


def argument_parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the program's docstring, with its lines as they are."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def record(name: str, result: Mapping[str, Any], *, case: str | None = None) -> None:
    """Print a result as one JSON line, and write it to `results/NAME.json` with its conditions.

    Args:
        name: Name of the file, without its ending.
        result: What was measured; all of it can be written as JSON.
        case: Where one file gathers several runs (sizes, models, peers): the name of this one. The
            file's other contents stay.
    """
    measured = {"record": conditions(), **result}
    path = RESULTS / f"{name}.json"
    if case is None:
        whole = {"benchmark": name, **measured}
    else:
        before: dict[str, Any] = {"benchmark": name}
        if path.is_file():
            before = json.loads(path.read_text("utf-8"))
        whole = {**before, "cases": {**before.get("cases", {}), case: measured}}
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8")
    shown = {"benchmark": name, **({} if case is None else {"case": case}), **result}
    print(json.dumps(shown, ensure_ascii=False), flush=True)


def conditions() -> dict[str, Any]:
    """Time, commit, command, machine, load and versions of this process.

    `commit` is null outside of a repository; `changed` says whether tracked files differ from it.
    """
    commit = _git("rev-parse", "--short", "HEAD")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "changed": None if commit is None else bool(_git("status", "--porcelain", "-uno")),
        "command": " ".join(["python", "-m", _module(), *sys.argv[1:]]),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load_average": {"before": round(LOAD_BEFORE, 2), "after": round(os.getloadavg()[0], 2)},
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def _module() -> str:
    spec = sys.modules["__main__"].__spec__
    return spec.name if spec is not None else Path(sys.argv[0]).name


def _cpu_model() -> str:
    """The processor's name as Linux gives it; elsewhere what Python knows."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
