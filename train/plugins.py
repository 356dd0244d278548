"""Parts of a run that a recipe names by import path, `package.module:name`, and their versions.

A recipe is written by the person who trains, so what it names is imported. What a checkpoint names is
not: whoever reads somebody else's checkpoint would run whatever lies in the working directory.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import sha256_hex

# As pydantic checks it in settings; the same as IMPORT_PATH.
PLUGIN_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$"
IMPORT_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
# Names the plug-ins of other people's checkpoints that may be imported, divided by commas.
TRUSTED_VARIABLE = "TRAIN_TRUSTED_PLUGINS"


def is_import_path(name: str) -> bool:
    """Whether a name is `package.module:name`, instead of one of ours."""
    return IMPORT_PATH.fullmatch(name) is not None


def load_plugin(path: str, *, where: str) -> Any:
    """Import what a recipe names.

    Args:
        path: `package.module:name`.
        where: The setting that names it, for messages.

    Raises:
        SettingsError: The module cannot be imported, or has no such name.
    """
    module_name, _, name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{where}: {path}: no module '{error.name}'; it is searched on PYTHONPATH and in the "
            f"working directory {Path.cwd()}"
        ) from error
    if not hasattr(module, name):
        raise SettingsError(f"{where}: {path}: {module.__file__} has no name '{name}'")
    return getattr(module, name)


def refuse_untrusted(path: str, *, where: str) -> None:
    """Refuse the plug-in of a checkpoint that no recipe of ours has named.

    Raises:
        ContractError: The environment does not name it as trusted.
    """
    trusted = {name.strip() for name in os.environ.get(TRUSTED_VARIABLE, "").split(",")}
    if path not in trusted:
        raise ContractError(
            f"{where}: its model is the plug-in {path}, whose code would be run; if you trust it, set "
            f"{TRUSTED_VARIABLE}={path}"
        )


def without_plugin(fields: dict[str, Any]) -> dict[str, Any]:
    """A block of settings without the keys of a plug-in that it does not name.

    What a checkpoint must share with the run that resumes it was written before there were any.
    """
    if fields.get("plugin") is not None:
        return fields
    return {name: value for name, value in fields.items() if name not in ("plugin", "options")}


def plugin_versions(recipe: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of the code of each plug-in that a recipe names, by import path."""
    return {path: code_sha256(path) for path in sorted(set(_named(recipe)))}


def _named(value: Any) -> Iterator[str]:
    """Every text in a recipe that has the form of an import path and whose module can be found."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _named(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(inner)
    elif isinstance(value, str) and is_import_path(value) and _source(value) is not None:
        yield value


def code_sha256(path: str) -> str:
    """SHA-256 of the code behind an import path.

    A module on its own counts alone; one in a package counts with every Python file of its folder,
    which is where its helpers are.
    """
    source = _source(path)
    assert source is not None, path
    is_in_package = "." in path.partition(":")[0] or source.name == "__init__.py"
    files = sorted(source.parent.glob("*.py")) if is_in_package else [source]
    parts = (file.name.encode() + b"\0" + file.read_bytes() + b"\0" for file in files)
    return sha256_hex(b"".join(parts))


def _source(path: str) -> Path | None:
    """The file of the module that an import path names; None where there is none."""
    try:
        spec = importlib.util.find_spec(path.partition(":")[0])
    except (ImportError, ValueError):
        return None
    origin = None if spec is None else spec.origin
    return Path(origin) if origin is not None and Path(origin).is_file() else None
