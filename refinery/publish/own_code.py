"""Functions of the user's own, named `package.module:function`: imported, fingerprinted, shipped, guarded.

A module is looked for among the installed packages and in the working folder. What belongs to it is its
file, or all files of its top-level package: their content is the fingerprint, and what is sent to
executors, unless it is installed there (`site-packages`).
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import os
import re
import sys
import sysconfig
import traceback
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from schemas.errors import SettingsError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.settings import nearest

NAME = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
FAILED = "python:exception"
MESSAGE_CHARS = 300
# What is skipped in a package: caches and hidden files.
_NO_SOURCE = re.compile(r"(^|/)(__pycache__/|\.)|\.pyc$")

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class WrongAnswerError(Exception):
    """A function of the user's own returned something else than it should."""


@functools.cache
def load_function(name: str) -> Callable[..., Any]:
    """Import `package.module:function`.

    Raises:
        SettingsError: There is no such module or function, or the module cannot be imported.
    """
    module_name, _, function_name = name.partition(":")
    _look_into_working_folder()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and module_name.startswith(error.name):
            raise SettingsError(
                f"{name}: no module '{error.name}' among the installed packages or in {os.getcwd()}"
            ) from error
        raise SettingsError(f"{name}: cannot be imported: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever its code raises, an end of the process too
        raise SettingsError(f"{name}: cannot be imported: {exception_in_words(error)}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        public = {key for key, value in vars(module).items() if inspect.isfunction(value)}
        raise SettingsError(
            f"{name}: no function '{function_name}'{nearest(function_name, public)}"
        )
    return function  # type: ignore[no-any-return]


def _look_into_working_folder() -> None:
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.append(folder)


def source_files(name: str) -> dict[str, Path]:
    """Files of the module or of its top-level package, by the path that they have below `sys.path`.

    Raises:
        SettingsError: There is no such module.
    """
    top = name.partition(":")[0].partition(".")[0]
    load_function(name)
    spec = importlib.util.find_spec(top)
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        raise SettingsError(f"{name}: no source of '{top}' is to be found")
    if not spec.submodule_search_locations:
        path = Path(str(spec.origin))
        return {path.name: path}
    folder = Path(next(iter(spec.submodule_search_locations)))
    files = {path.relative_to(folder.parent).as_posix(): path for path in sorted(folder.rglob("*"))}
    return {
        key: path for key, path in files.items() if path.is_file() and not _NO_SOURCE.search(key)
    }


def code_fingerprint(name: str) -> str:
    """SHA-256 over the content of the module's or package's files, wherever they lie."""
    contents = {key: sha256_hex(path.read_bytes()) for key, path in source_files(name).items()}
    return sha256_hex(canonical_json([name, contents]))


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


def exception_in_words(error: BaseException) -> str:
    """Type, message and the last line of code, on one line of bounded length."""
    frames = traceback.extract_tb(error.__traceback__)
    line = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    message = " ".join(str(error).split())[:MESSAGE_CHARS]
    return f"{type(error).__name__}: {message}{line}" if message else type(error).__name__ + line
