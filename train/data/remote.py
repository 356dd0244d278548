"""Files of a dataset: on a disk, or behind a URI with a cache of bounded size on disk."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import fsspec

from schemas.errors import ContractError
from schemas.manifest import MANIFEST_NAME, Manifest, is_below, read_manifest


class ShardFiles:
    """Local paths for the files beside a manifest.

    Args:
        base: Folder or URI (`s3://bucket/dataset`) of the manifest.
        cache_dir: Folder for copies of remote files; needed for a URI.
        cache_bytes: Largest size of that folder; the files used longest ago are removed.
    """

    def __init__(
        self, base: str, *, cache_dir: Path | None = None, cache_bytes: int = 20_000_000_000
    ) -> None:
        self.base = base.rstrip("/")
        self._cache_dir = cache_dir
        self._cache_bytes = cache_bytes
        self._lock = threading.Lock()

    @property
    def is_remote(self) -> bool:
        """Whether the dataset lies behind a URI."""
        return "://" in self.base and not self.base.startswith("file://")

    def local(self, relative: str) -> Path:
        """Path of a file on a local disk; a remote file is fetched first.

        Raises:
            ContractError: There is no such file.
        """
        if not self.is_remote:
            return Path(self.base.removeprefix("file://")) / relative
        if self._cache_dir is None:
            raise ContractError(f"{self.base}: a remote dataset needs loader.cache_dir")
        name = hashlib.sha256(f"{self.base}/{relative}".encode()).hexdigest()[:24]
        target = self._cache_dir / f"{name}-{Path(relative).name}"
        with self._lock:
            if not target.exists():
                self._fetch(relative, target)
                self._evict(target)
            os.utime(target)
        return target

    def folder(self, relative: str) -> Path:
        """A folder in the cache for the files of one remote folder."""
        if self._cache_dir is None:
            raise ContractError(f"{self.base}: a remote dataset needs loader.cache_dir")
        name = hashlib.sha256(f"{self.base}/{relative}".encode()).hexdigest()[:24]
        target = self._cache_dir / name
        target.mkdir(parents=True, exist_ok=True)
        return target

    def _fetch(self, relative: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        try:
            system, path = fsspec.core.url_to_fs(f"{self.base}/{relative}")
            system.get_file(path, str(part))
        except FileNotFoundError as error:
            raise ContractError(f"{self.base}/{relative}: no such file") from error
        part.replace(target)  # several ranks may fetch at once: each replaces with equal bytes

    def _evict(self, kept: Path) -> None:
        """Remove the files used longest ago; an open file stays readable after its removal."""
        assert self._cache_dir is not None
        entries = [
            (entry.stat().st_atime, entry.stat().st_size, Path(entry.path))
            for entry in os.scandir(self._cache_dir)
            if entry.is_file() and not entry.name.endswith(".part")
        ]
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self._cache_bytes:
                return
            if path != kept:
                path.unlink(missing_ok=True)
                total -= size


def open_manifest(files: ShardFiles) -> Manifest:
    """Read the manifest of a dataset."""
    return read_manifest(files.local(MANIFEST_NAME))


def local_tokenizer(files: ShardFiles) -> Path:
    """The folder of the tokenizer beside the manifest; a remote one is fetched file by file.

    Raises:
        ContractError: There is no such folder.
    """
    relative = open_manifest(files).tokenizer.path
    if not files.is_remote:
        folder = files.local(relative)
        if not folder.is_dir():
            raise ContractError(_no_tokenizer(files, relative))
        return folder
    system, path = fsspec.core.url_to_fs(f"{files.base}/{relative}")
    names = system.find(path)
    if not names:
        raise ContractError(_no_tokenizer(files, relative))
    target = files.folder(relative)
    for name in names:
        inside = name.removeprefix(f"{path.rstrip('/')}/")
        if not is_below(inside):
            raise ContractError(
                f"{files.base}/{relative}: '{inside}' is no name of a file below it"
            )
        local = target / inside
        local.parent.mkdir(parents=True, exist_ok=True)
        system.get_file(name, str(local))
    return target


def _no_tokenizer(files: ShardFiles, relative: str) -> str:
    return (
        f"{files.base}/{relative}: the manifest's tokenizer is not there; copy its folder beside the "
        "shards, as the refinery wrote it"
    )
