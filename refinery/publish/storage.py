"""Files on local disks and object stores through fsspec: reading, atomic writing, local copies."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fsspec

from schemas.errors import PipelineError, SettingsError


def is_local(uri: str) -> bool:
    return "://" not in uri or uri.startswith("file://")


def local_path(uri: str) -> Path:
    return Path(uri.removeprefix("file://")).absolute()


def join_uri(base: str, *parts: str) -> str:
    """Join URIs or paths with exactly one slash between their parts."""
    return "/".join([base.rstrip("/"), *(part.strip("/") for part in parts)])


class StoreNotReachedError(SettingsError, ImportError, ValueError):
    """No client for a URI's scheme: fsspec does not know it, or lacks the package or library for it."""


def file_system(uri: str) -> tuple[Any, str]:
    """The fsspec file system of a URI and the path inside it.

    A bucket is part of the path; a host (`hdfs://namenode:8020/data`) is part of the file system.
    """
    if is_local(uri):
        return fsspec.filesystem("file"), str(local_path(uri))
    protocol, _, path = uri.partition("://")
    name = "s3" if protocol in ("s3a", "s3n") else protocol
    url = f"{name}://{path}"
    try:
        # Not fsspec's url_to_fs: "::" in the name of a stranger's object would lead to another store.
        kind = fsspec.get_filesystem_class(name)
        system = fsspec.filesystem(name, **kind._get_kwargs_from_urls(url))
    except (ImportError, ValueError, OSError) as error:
        # OSError: libhdfs needs Java's and Hadoop's libraries, or the host does not answer.
        said = str(error).split("\n", 1)[0]
        raise StoreNotReachedError(f"{protocol}://: {said}") from error
    return system, str(kind._strip_protocol(url))


def uri_of(path: str, *, beside: str) -> str:
    """The URI of a path that the file system of `beside` gave, with the scheme and host of `beside`."""
    if is_local(beside) or "://" in path:
        return path
    protocol, _, rest = beside.partition("://")
    system, _ = file_system(beside)
    has_host = "host" in system._get_kwargs_from_urls(beside)
    root = f"{protocol}://{rest.partition('/')[0]}/" if has_host else f"{protocol}://"
    return root + path.lstrip("/")


# By what stores say that an object changed, the surest first.
_CHANGES = (
    "ETag", "etag", "generation", "mtime", "LastModified", "last_modified", "modificationTime",
)  # fmt: skip


def changed(info: Mapping[str, Any]) -> Any:
    """What tells a version of an object from the next one: an ETag, else the time of its change."""
    return next((info[key] for key in _CHANGES if info.get(key)), None)


def exists(uri: str) -> bool:
    system, path = file_system(uri)
    return bool(system.exists(path))


def is_file(uri: str) -> bool:
    system, path = file_system(uri)
    return bool(system.isfile(path))


def read_bytes(uri: str) -> bytes:
    system, path = file_system(uri)
    return bytes(system.cat_file(path))


def write_new(uri: str, data: bytes) -> bool:
    """Write a file atomically unless it exists; the first writer wins.

    Returns:
        Whether this call wrote it.

    Raises:
        PipelineError: No space is left on the disk; the message says what to do.
    """
    if not is_local(uri):
        system, path = file_system(uri)
        try:
            system.pipe_file(path, data, mode="create")
        except FileExistsError:
            return False
        return True
    aside = _write_aside(uri, data)
    try:
        os.link(aside, local_path(uri))
    except FileExistsError:
        return False
    finally:
        aside.unlink()
    return True


def replace(uri: str, data: bytes) -> None:
    """Write a file atomically, over an older one if there is any."""
    if not is_local(uri):
        system, path = file_system(uri)
        system.pipe_file(path, data)
        return
    _write_aside(uri, data).replace(local_path(uri))


def _write_aside(uri: str, data: bytes) -> Path:
    """Write the data to a hidden file in the same folder, which the caller links or renames."""
    path = local_path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with disk_full_as_error(uri):
        aside.write_bytes(data)
    return aside


def upload(path: Path, uri: str) -> None:
    """Copy a local file or folder to a URI."""
    system, target = file_system(uri)
    with disk_full_as_error(uri):
        system.makedirs(os.path.dirname(target), exist_ok=True)
        system.put(str(path), target, recursive=path.is_dir())


def local_copy(uri: str) -> Path:
    """A local path with the content of a file or folder; remote ones are fetched once per process.

    Executors call this for models and indexes, so a shared URI is all that travels in a task.
    """
    return local_path(uri) if is_local(uri) else _download(uri)


@functools.cache
def _download(uri: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="refinery-"))
    target = folder / (hashlib.sha256(uri.encode()).hexdigest()[:12] + "-" + os.path.basename(uri))
    system, path = file_system(uri)
    system.get(path, str(target), recursive=bool(system.isdir(path)))
    return target


def disk_full(uri: str) -> PipelineError:
    """The error to raise for a write that found no space; it says what to do next."""
    return PipelineError(
        f"{uri}: no space left on the device; nothing was published. "
        "Free space and run the same command"
    )


@contextlib.contextmanager
def disk_full_as_error(uri: str) -> Any:
    """Turn ENOSPC into a `PipelineError`; Spark would retry the task four times on the full disk."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(uri) from error
        raise
