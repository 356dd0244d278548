"""List the input files of a run, sorted: what is one, what Spark or a file system put beside them."""

from __future__ import annotations

import fnmatch
import heapq
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from refinery.publish import storage
from refinery.sources.config import SourceConfig
from schemas.errors import SettingsError

UNREADABLE = "unreadable"
# What Spark, Delta, Hudi and Hadoop write beside data; hidden names are passed over in any case.
_SIDE_NAMES = {
    "_SUCCESS", "_temporary", "_metadata", "_common_metadata", "_delta_log", "_spark_metadata",
    "_change_data", "_symlink_format_manifest",
}  # fmt: skip
_SIDE_STARTS = (".", "_committed_", "_started_")
_SIDE_ENDS = (".crc", "_$folder$")
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, order=True)
class InputFile:
    """One input file.

    Attributes:
        name: Its path below the source's root, as valid text.
        uri: Where it lies, as the file system takes it.
        changed: ETag or time of change, by which a hash is found again.
        sha256: What identifies its content; empty until that is known.
    """

    source: str
    name: str
    uri: str
    size: int
    changed: str
    sha256: str = ""


@dataclass(frozen=True)
class Listing:
    """Files of a source, and the names of side files that are no input."""

    files: tuple[InputFile, ...]
    passed_over: tuple[str, ...]


def list_files(source: SourceConfig) -> list[InputFile]:
    """Files of a source, sorted by their name relative to its root: see `list_source`."""
    return list(list_source(source).files)


def list_source(source: SourceConfig) -> Listing:
    """Files of a source, sorted by their name relative to its root.

    Links to folders are followed, and each folder and file is listed once. What cannot be read (a
    link without a target, a pipe, a folder without permission) is listed: its reader says so.

    Raises:
        SettingsError: The root is missing, or no file matches the pattern.
    """
    system, root = storage.file_system(source.uri)
    if not system.exists(root):
        raise SettingsError(f"source '{source.name}': nothing at {source.uri}")
    found = list(_local(root) if storage.is_local(source.uri) else _remote(system, root, source))
    is_file = bool(system.isfile(root))
    files, passed_over = [], []
    for file in found:
        if is_side_file(file.name) and not is_file:
            passed_over.append(file.name)
        elif is_file or matches(file.name, source.pattern):
            files.append(
                InputFile(source.name, file.name, file.uri, file.size, file.changed, file.sha256)
            )
    if not files and not source.may_be_empty:
        raise SettingsError(
            f"source '{source.name}': no file matches '{source.pattern}' under {source.uri} "
            f"({len(found) - len(passed_over)} files there)"
        )
    return Listing(tuple(sorted(files)), tuple(sorted(passed_over)))


def matches(name: str, pattern: str) -> bool:
    """Whether a name below the root matches a glob; `**/` stands for no folder, too."""
    return any(fnmatch.fnmatchcase(name, form) for form in (pattern, pattern.removeprefix("**/")))


def is_empty(source: SourceConfig) -> bool:
    """Whether nothing lies at a source's URI, as on a day without new files."""
    system, root = storage.file_system(source.uri)
    return not system.exists(root) or (not system.isfile(root) and not system.find(root))


def is_side_file(name: str) -> bool:
    """Whether a file is hidden or is what Spark and its table formats write beside data."""
    parts = name.split("/")
    return any(
        part in _SIDE_NAMES or part.startswith(_SIDE_STARTS) or part.endswith(_SIDE_ENDS)
        for part in parts
    )


def partition_values(name: str) -> dict[str, str | None]:
    """Values in the names of folders as Hive writes them: `date=2024-01-01/lang=zh/part-0.parquet`."""
    pairs = [part.partition("=") for part in name.split("/")[:-1]]
    return {
        unquote(key): None if value == _HIVE_NULL else unquote(value)
        for key, sign, value in pairs
        if sign and key
    }


def _remote(system: Any, root: str, source: SourceConfig) -> Iterator[InputFile]:
    """Objects of a store; a name that ends in a slash is no object but a folder's mark."""
    if system.isfile(root):
        objects, base = {root: system.info(root)}, root.rsplit("/", 1)[0]
    else:
        objects, base = system.find(root, detail=True), root.rstrip("/")
    for path, info in objects.items():
        if path.endswith("/") or not path[len(base) + 1 :]:
            continue
        uri = storage.uri_of(path, beside=source.uri)
        changed = str(storage.changed(info) or "")
        yield InputFile("", path[len(base) + 1 :], uri, int(info["size"] or 0), changed)


def _local(root: str) -> Iterator[InputFile]:
    if not os.path.isdir(root):
        yield _local_file(root, os.path.basename(root))
        return
    base = root.rstrip("/")
    for path in _walk(base):
        yield _local_file(path, path[len(base) + 1 :] or os.path.basename(base))


def _local_file(path: str, name: str) -> InputFile:
    # A name that is not UTF-8 is written with escapes; the path stays as the system gave it.
    shown = os.fsencode(name).decode("utf-8", "backslashreplace")
    try:
        status = os.stat(path)
    except OSError:
        return InputFile("", shown, path, 0, "", UNREADABLE)
    if not stat.S_ISREG(status.st_mode):
        return InputFile("", shown, path, 0, "", UNREADABLE)
    return InputFile("", shown, path, status.st_size, str(status.st_mtime))


def _walk(root: str) -> Iterator[str]:
    """Paths of files below a folder, and of what cannot be read; each folder and file once.

    Links come after all that lies below the root without one, so what is reached twice has its own
    name, whatever order the system lists it in.
    """
    folders, links = [root], list[str]()
    # A link to a folder above the root leads around in a ring.
    seen = {_key(folder) for folder in _above(root)}
    while folders or links:
        if not folders:
            link = heapq.heappop(links)
            try:
                key = _key(link)
            except OSError:
                yield link
                continue
            if os.path.isdir(link):
                folders.append(link)
            elif key not in seen:
                seen.add(key)
                yield link
            continue
        folder = folders.pop()
        try:
            key = _key(folder)
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            yield folder
            continue
        if key in seen:
            continue
        seen.add(key)
        for entry in entries:
            if entry.is_symlink():
                heapq.heappush(links, entry.path)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                seen.add(_key(entry.path))
                yield entry.path


def _key(path: str) -> tuple[int, int]:
    """What tells a file or folder from all others on this machine, whatever link leads to it."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _above(root: str) -> Iterator[str]:
    """The folders that hold the root."""
    path = os.path.dirname(os.path.realpath(root))
    while path != os.path.dirname(path):
        yield path
        path = os.path.dirname(path)
    yield path
