"""Folders of object stores with the few methods of `pathlib.Path` that a look into a folder needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, cast

from refinery.publish import storage


@dataclass(frozen=True, order=True)
class StorePath:
    """An object or a folder by its URI."""

    uri: str

    @property
    def _inside(self) -> str:
        return storage.file_system(self.uri)[1].rstrip("/")

    def _of(self, inside: str) -> StorePath:
        return StorePath(storage.uri_of(inside.rstrip("/"), beside=self.uri))

    @property
    def name(self) -> str:
        return self._inside.rsplit("/", 1)[-1]

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> StorePath:
        return StorePath(storage.join_uri(self.uri, name))

    def is_dir(self) -> bool:
        return bool(storage.file_system(self.uri)[0].isdir(self._inside))

    def is_file(self) -> bool:
        return bool(storage.file_system(self.uri)[0].isfile(self._inside))

    def iterdir(self) -> Iterator[StorePath]:
        names = storage.file_system(self.uri)[0].ls(self._inside, detail=False)
        return (self._of(name) for name in names if name.rstrip("/") != self._inside)

    def files(self) -> list[StorePath]:
        """Objects whose names begin with the folder, at any depth."""
        return [self._of(name) for name in storage.file_system(self.uri)[0].find(self._inside)]

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        return cast("BinaryIO", storage.file_system(self.uri)[0].open(self._inside, mode))


AnyPath = Path | StorePath


def any_path(uri: str) -> AnyPath:
    """A local path, or one of a store."""
    return Path(uri.removeprefix("file://")) if storage.is_local(uri) else StorePath(uri)


def parts_below(path: AnyPath, root: AnyPath) -> tuple[str, ...]:
    """Names of the folders between a root and a file below it, and of the file."""
    return PurePosixPath(str(path)[len(str(root)) :].lstrip("/")).parts


def no_files_below(root: AnyPath) -> list[AnyPath]:
    """Links to nothing, pipes and sockets below a local folder; a store has none."""
    if isinstance(root, StorePath):
        return []
    found = [Path(base) / name for base, _, names in os.walk(root) for name in names]
    return [path for path in found if not path.is_file()]


def files_below(root: AnyPath) -> list[AnyPath]:
    """All files below a folder, sorted; of local ones those that links to files lead to, too."""
    if isinstance(root, StorePath):
        return sorted(root.files())
    found = [Path(base) / name for base, _, names in os.walk(root) for name in names]
    return sorted(path for path in found if path.is_file())
