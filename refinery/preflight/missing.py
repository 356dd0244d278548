"""The message for a path at which nothing lies: what is there, and what was probably meant."""

from __future__ import annotations

from refinery.publish import storage
from schemas.errors import SettingsError
from schemas.settings import closest

SHOWN = 5


def nothing_there(where: str, uri: str) -> SettingsError:
    """The error for a missing file or folder, with its nearest neighbour by name."""
    system, path = storage.file_system(uri)
    parent, _, name = path.rstrip("/").rpartition("/")
    if not system.exists(parent):
        return SettingsError(f"{where}: nothing at {uri}; there is no folder {parent} either")
    entries = (str(entry).rstrip("/") for entry in system.ls(parent, detail=False))
    names = sorted(n for e in entries if not (n := e.rpartition("/")[2]).startswith("."))
    shown = ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")
    hint = closest(name, names) or f"; {parent} holds {shown or 'nothing'}"
    return SettingsError(f"{where}: nothing at {uri}{hint}")
