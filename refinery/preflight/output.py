"""Whether a run's output can be made and written."""

from __future__ import annotations

import tempfile
from pathlib import Path

from refinery.publish import storage
from schemas.errors import SettingsError


def check_output(output: str) -> None:
    """See that a local output can be made and written.

    Raises:
        SettingsError: It cannot; the nearest folder that exists is named.
    """
    if not storage.is_local(output):
        return
    parent = existing_parent(storage.local_path(output))
    if not parent.is_dir():
        raise SettingsError(f"runtime.output {output}: {parent} is a file")
    try:
        with tempfile.TemporaryFile(dir=parent) as file:
            file.write(b"x")
    except OSError as error:
        raise SettingsError(
            f"runtime.output {output}: {parent} cannot be written ({error.strerror})"
        ) from error


def existing_parent(path: Path) -> Path:
    """The nearest path above that exists, or the path itself."""
    while not path.exists():
        path = path.parent
    return path
