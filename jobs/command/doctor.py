"""`refinery doctor`: what a run needs from this machine, one line each, with what to do."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from importlib.util import find_spec

from jobs.spark.java import find_java
from refinery.language.config import LanguageConfig
from refinery.language.identify import model_path
from refinery.preflight.output import check_output, existing_parent
from refinery.publish import storage
from schemas.errors import SettingsError

PACKAGES = ("pyspark", "pyarrow", "resiliparse", "fastwarc", "tokenizers", "fasttext", "numba")
LEAST_MEMORY = 4 << 30
# The tables of even a small run, Spark's scratch and the dataset.
LEAST_FREE = 1_000_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", default=".", help="folder or URI that a run will write to")


def _java() -> str:
    java = find_java()
    return f"version {java.major} in {java.home}"


def _packages() -> str:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise SettingsError(f"missing {', '.join(missing)}; pip install -e '.[refinery]'")
    return f"{len(PACKAGES)} found"


def _language_model() -> str:
    return str(model_path(LanguageConfig()).name)


def _memory() -> str:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size < LEAST_MEMORY:
        raise SettingsError(f"{size / 1e9:.1f} GB; a local run wants {LEAST_MEMORY / 1e9:.0f} GB")
    return f"{size / 1e9:.1f} GB, {os.cpu_count()} cores"


def _store(uri: str) -> str:
    """Write an object and remove it."""
    probe = storage.join_uri(uri, ".refinery-doctor")
    try:
        storage.replace(probe, b"x")
        system, path = storage.file_system(probe)
        system.rm_file(path)
    except OSError as error:  # a missing credential is told by `run_main`
        raise SettingsError(f"{uri}: cannot be written ({error})") from error
    return f"{uri}: can be written"


def _output(uri: str) -> str:
    if not storage.is_local(uri):
        return _store(uri)
    folder = storage.local_path(uri)
    parent = existing_parent(folder.absolute())
    check_output(str(folder))
    space = os.statvfs(parent)
    free = space.f_bavail * space.f_frsize
    told = f"{parent}: {free / 1e9:.1f} GB free"
    if free < LEAST_FREE:
        raise SettingsError(f"{told}; a run wants at least {LEAST_FREE / 1e9:.0f} GB, see `df -h`")
    return told


def run(args: argparse.Namespace) -> int:
    """Print a line per check; exit 2 if any failed."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("java", _java),
        ("packages", _packages),
        ("language model", _language_model),
        ("memory", _memory),
        ("output", lambda: _output(args.output)),
    ]
    problems = 0
    for name, check in checks:
        try:
            print(f"ok       {name}: {check()}")
        except SettingsError as error:
            problems += 1
            print(f"problem  {name}: {error}")
    return SettingsError.exit_code if problems else 0
