"""List the input files of a run, sorted, with their content hashes."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from dataclasses import asdict, dataclass

from refinery.publish import storage
from refinery.sources.config import SourceConfig
from schemas.errors import SettingsError
from schemas.fingerprints import READ_BYTES

HASH_CACHE = "input-hashes.json"


@dataclass(frozen=True, order=True)
class InputFile:
    """One input file; `sha256` is empty until `hash_files` has filled it."""

    source: str
    name: str
    uri: str
    size: int
    changed: str
    sha256: str = ""


def list_files(source: SourceConfig) -> list[InputFile]:
    """Files of a source, sorted by their name relative to its root.

    Raises:
        SettingsError: The root is missing, or no file matches the pattern.
    """
    system, root = storage.file_system(source.uri)
    if not system.exists(root):
        raise SettingsError(f"source '{source.name}': nothing at {source.uri}")
    if system.isfile(root):
        paths = {root: system.info(root)}
        base = root.rsplit("/", 1)[0]
    else:
        paths, base = system.find(root, detail=True), root.rstrip("/")
    files = []
    for path, info in paths.items():
        name = path[len(base) + 1 :]
        if source.pattern not in ("**", "*") and not fnmatch.fnmatch(name, source.pattern):
            continue
        uri = path if storage.is_local(source.uri) else f"{source.uri.partition('://')[0]}://{path}"
        changed = str(info.get("ETag") or info.get("mtime") or info.get("LastModified") or "")
        files.append(InputFile(source.name, name, uri, int(info["size"]), changed))
    if not files:
        raise SettingsError(
            f"source '{source.name}': no file matches '{source.pattern}' under {source.uri} "
            f"({len(paths)} files there)"
        )
    return sorted(files)


def hash_files(files: list[InputFile], *, cache_uri: str) -> list[InputFile]:
    """Fill in content hashes; a file that has one keeps it.

    Hashes are stored under `cache_uri`: a file of known URI, size and time of change is not read.
    """
    known: dict[str, str] = {}
    if storage.exists(cache_uri):
        known = json.loads(storage.read_bytes(cache_uri))
    hashed = []
    for file in files:
        key = json.dumps([file.uri, file.size, file.changed])
        digest = file.sha256 or known.get(key) or _sha256(file.uri)
        known[key] = digest
        hashed.append(InputFile(**{**asdict(file), "sha256": digest}))
    storage.replace(cache_uri, json.dumps(known, sort_keys=True).encode())
    return hashed


def _sha256(uri: str) -> str:
    system, path = storage.file_system(uri)
    digest = hashlib.sha256()
    with system.open(path, "rb") as stream:
        while piece := stream.read(READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()
