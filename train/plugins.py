"""Parts of a run that a recipe names by import path, and the refusal of those that a checkpoint names.

A recipe is written by the person who trains, so what it names is imported (schemas/own_code.py). What a
checkpoint names is not: whoever reads somebody else's checkpoint would run whatever lies in the working
directory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.errors import ContractError, SettingsError
from schemas.own_code import code_fingerprint, is_import_path

# Names the plug-ins of other people's checkpoints that may be imported, divided by commas.
TRUSTED_VARIABLE = "TRAIN_TRUSTED_PLUGINS"


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
    """Fingerprints of the code of each plug-in that a recipe names, by import path."""
    versions = {}
    for path in sorted(set(_named(recipe))):
        try:
            versions[path] = code_fingerprint(path)
        except SettingsError:
            continue  # a text that looks like an import path
    return versions


def _named(value: Any) -> Iterator[str]:
    """Every text in a recipe that has the form of an import path."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _named(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(inner)
    elif isinstance(value, str) and is_import_path(value):
        yield value
