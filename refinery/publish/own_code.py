"""Functions of the user's own over documents: shipped to executors, and guarded document by document.

How they are found and versioned: schemas/own_code.py. What is not installed on the executors
(`site-packages`) is sent to them.
"""

from __future__ import annotations

import sysconfig
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from schemas.fingerprints import canonical_json, sha256_hex
from schemas.own_code import exception_in_words, source_files

FAILED = "python:exception"

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class WrongAnswerError(Exception):
    """A function of the user's own returned something else than it should."""


def write_bundle(names: Sequence[str], folder: Path) -> Path | None:
    """A zip of all code that executors lack, named by its content; None where all is installed."""
    installed = [Path(sysconfig.get_path(key)) for key in ("purelib", "platlib", "stdlib")]
    files: dict[str, Path] = {}
    for name in names:
        own = source_files(name)
        if not any(path.is_relative_to(root) for path in own.values() for root in installed):
            files |= own
    if not files:
        return None
    content = {key: sha256_hex(path.read_bytes()) for key, path in sorted(files.items())}
    bundle = folder / f"own-code-{sha256_hex(canonical_json(content))[:16]}.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        for key, path in sorted(files.items()):
            archive.write(path, key)
    return bundle


def run_each(
    call: Callable[[Sequence[ItemT]], Sequence[ResultT]], items: Sequence[ItemT], *, name: str
) -> tuple[list[ResultT | None], dict[int, str]]:
    """Call a function on a batch; where it raises, on each item by itself.

    Returns:
        A result for each item, None where there is none, and by index of those items what was raised.
    """
    try:
        return list(_answers(call, items)), {}
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # as above; a panic of a library in Rust is no Exception
        if len(items) == 1:
            return [None], {0: f"{name}: {exception_in_words(error)}"}
    results: list[ResultT | None] = []
    failures: dict[int, str] = {}
    for index, item in enumerate(items):
        own, failed = run_each(call, [item], name=name)
        results += own
        if failed:
            failures[index] = failed[0]
    return results, failures


def _answers(
    call: Callable[[Sequence[ItemT]], Sequence[ResultT]], items: Sequence[ItemT]
) -> Sequence[ResultT]:
    answers = call(items)
    if len(answers) != len(items):
        raise WrongAnswerError(f"{len(answers)} answers to {len(items)} documents")
    return answers
