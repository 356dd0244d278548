"""What identifies the content of input files: hashes from earlier reading, or a store's versions.

The tasks that read a file hash it, so no byte is read for a hash alone. A file of known URI, size and
time of change (or ETag) is not read to know that a stage is published.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from refinery.publish import storage
from refinery.sources.config import SourceConfig
from refinery.sources.listing import InputFile
from schemas.fingerprints import sha256_hex

HASH_CACHE = "input-hashes.json"


def with_identities(
    files: Iterable[InputFile], sources: Sequence[SourceConfig], cache_uri: str
) -> list[InputFile]:
    """Fill in what identifies each file; empty where only reading can tell."""
    by_version = {source.name for source in sources if source.identity == "version"}
    known = known_hashes(cache_uri)
    return [
        file
        if file.sha256
        else replace(
            file,
            sha256=version_of(file)
            if file.source in by_version
            else known.get(cache_key(file), ""),
        )
        for file in files
    ]


def version_of(file: InputFile) -> str:
    """The store's version of a file, in the form of a hash."""
    return sha256_hex(f"version {file.size} {file.changed}".encode())


def remember(files: Iterable[InputFile], cache_uri: str) -> None:
    """Keep the hashes of files that were read."""
    known = known_hashes(cache_uri)
    known.update({cache_key(file): file.sha256 for file in files if file.sha256})
    storage.replace(cache_uri, json.dumps(known, sort_keys=True).encode())


def known_hashes(cache_uri: str) -> dict[str, str]:
    """What identifies each file that was read, by `cache_key`."""
    if not storage.exists(cache_uri):
        return {}
    known: dict[str, str] = json.loads(storage.read_bytes(cache_uri))
    return known


def cache_key(file: InputFile) -> str:
    """The file as it is now: written again, it is another one."""
    return json.dumps([file.uri, file.size, file.changed])
