"""Code of the user's own, named `package.module:name` in a recipe: found, imported, versioned by content.

A module is looked for among the installed packages and in the working folder. What belongs to it is its
file, or all files of its top-level package: their content is its version. A recipe is written by the person
who runs it, so what it names is imported; what a file of somebody else's names is not (train/plugins.py).
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from schemas.errors import SettingsError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.settings import nearest

# As pydantic checks it in settings; letters of any script, as in Python itself.
IMPORT_PATH = r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*$"
MESSAGE_CHARS = 300
# What is skipped in a package: caches, hidden files, and libraries, which no zip can be asked for.
_NO_SOURCE = re.compile(r"(^|/)(__pycache__/|\.)|\.(pyc|so|dylib|dll|pyd)(\.[\d.]+)?$")


def is_import_path(name: str) -> bool:
    """Whether a name is `package.module:name`, instead of one of ours."""
    return re.match(IMPORT_PATH, name) is not None and not name.endswith("\n")


def load_own(name: str, *, where: str | None = None) -> Callable[..., Any]:
    """Import the function or class that `package.module:name` names.

    Args:
        name: What the recipe says.
        where: The setting that says it, for messages.

    Raises:
        SettingsError: There is no such module or name, or the module cannot be imported.
    """
    at = name if where is None else f"{where}: {name}"
    module_name, _, own_name = name.partition(":")
    _look_into_working_folder()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise SettingsError(
                f"{at}: no module '{error.name}' among the installed packages or in {os.getcwd()}"
            ) from error
        raise SettingsError(f"{at}: cannot be imported: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever its code raises, an end of the process too
        raise SettingsError(f"{at}: cannot be imported: {exception_in_words(error)}") from error
    found = getattr(module, own_name, None)
    if not callable(found):
        public = {key for key, value in vars(module).items() if _is_public(key, value, module_name)}
        raise SettingsError(f"{at}: no function or class '{own_name}'{nearest(own_name, public)}")
    return found  # type: ignore[no-any-return]


def _is_public(name: str, value: object, module_name: str) -> bool:
    is_one = inspect.isfunction(value) or inspect.isclass(value)
    return is_one and not name.startswith("_") and getattr(value, "__module__", None) == module_name


def _look_into_working_folder() -> None:
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.append(folder)


def source_files(name: str) -> dict[str, Path]:
    """Files of the module or of its top-level package, by the path that they have below `sys.path`.

    Nothing is imported.

    Raises:
        SettingsError: There is no such module.
    """
    top = name.partition(":")[0].partition(".")[0]
    _look_into_working_folder()
    spec = _spec_in_folders(top) or _spec(top)
    if spec is None:
        raise SettingsError(
            f"{name}: no module '{top}' among the installed packages or in {os.getcwd()}"
        )
    if not spec.submodule_search_locations:
        path = Path(str(spec.origin))
        if not path.is_file():
            raise SettingsError(f"{name}: no source of '{top}' is to be found")
        return {path.name: path}
    folder = Path(next(iter(spec.submodule_search_locations)))
    files = {path.relative_to(folder.parent).as_posix(): path for path in sorted(folder.rglob("*"))}
    return {
        key: path for key, path in files.items() if path.is_file() and not _NO_SOURCE.search(key)
    }


def _spec_in_folders(top: str) -> ModuleSpec | None:
    """Zips are passed over: code that was sent to executors lies in one, and is that of its folder."""
    folders = [entry for entry in sys.path if not os.path.isfile(entry)]
    return PathFinder.find_spec(top, folders)


def _spec(top: str) -> ModuleSpec | None:
    """As an import finds it, where a package was installed to be edited."""
    try:
        return importlib.util.find_spec(top)
    except (ImportError, ValueError):  # a module that was made by hand has no spec
        return None


def code_fingerprint(name: str) -> str:
    """SHA-256 over the content of the module's or package's files, wherever they lie.

    Raises:
        SettingsError: There is no such module.
    """
    contents = {key: sha256_hex(path.read_bytes()) for key, path in source_files(name).items()}
    return sha256_hex(canonical_json([name, contents]))


def exception_in_words(error: BaseException) -> str:
    """Type, message and the last line of code, on one line of bounded length."""
    frames = traceback.extract_tb(error.__traceback__)
    line = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    message = " ".join(str(error).split())[:MESSAGE_CHARS]
    return f"{type(error).__name__}: {message}{line}" if message else type(error).__name__ + line
