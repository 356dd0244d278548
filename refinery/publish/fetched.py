"""Arguments of commands that name a file or folder here or on an object store.

What a command reads from a store is fetched to a local copy; what it writes is written here and put
there. A store's path is never a `Path`: `s3a://b/x` would become the folder `s3a:/b/x` on the local disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from refinery.publish import storage
from schemas.errors import SettingsError


def input_path(uri: str) -> Path:
    """The path of an input; one on a store is fetched, once per process.

    Raises:
        SettingsError: The store has no such file, or this machine has no client for the store.
    """
    if storage.is_local(uri):
        return Path(uri.removeprefix("file://"))
    try:
        return storage.local_copy(uri)
    except FileNotFoundError as error:
        raise SettingsError(f"{uri}: no such file or folder on the store") from error
    except storage.StoreNotReachedError as error:
        # Not as a ValueError, which argparse would take for a wrong form of the argument.
        raise SettingsError(str(error)) from error


@contextmanager
def output_path(uri: str) -> Iterator[Path]:
    """A path to write a file or folder to; for a store it is put there when all went well.

    Raises:
        SettingsError: The store has a file or folder of that name already.
    """
    if storage.is_local(uri):
        yield Path(uri.removeprefix("file://"))
        return
    if storage.exists(uri):
        raise SettingsError(f"{uri}: exists already")
    with tempfile.TemporaryDirectory(prefix="refinery-") as scratch:
        path = Path(scratch) / uri.rstrip("/").rpartition("/")[2]
        yield path
        if path.exists():
            storage.upload(path, uri)


class StoredFolder:
    """A folder here or on a store, read file by file; a fetched file is removed after its use."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """A local path with the content of a file or folder in it; a path without one if it is missing."""
        if storage.is_local(self.uri):
            yield storage.local_path(self.uri) / name
            return
        system, path = storage.file_system(storage.join_uri(self.uri, name))
        with tempfile.TemporaryDirectory(prefix="refinery-") as scratch:
            target = Path(scratch) / name.rstrip("/").rpartition("/")[2]
            if system.exists(path):
                system.get(path, str(target), recursive=bool(system.isdir(path)))
            yield target

    def names(self, ending: str) -> list[str]:
        """Names of its files with an ending, sorted."""
        system, path = storage.file_system(self.uri)
        return sorted(str(found).rsplit("/", 1)[-1] for found in system.glob(f"{path}/*{ending}"))
