"""Fingerprints: what a stage's output depends on, as one SHA-256.

A recipe (what the data is) is fingerprinted; a runtime (master, memory, where things lie) never is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

READ_BYTES = 1 << 20


def canonical_json(value: Any) -> bytes:
    """Encode settings so that equal values give equal bytes.

    Raises:
        TypeError: A value without a stable form (a path, a callable, an object's repr).
    """
    return json.dumps(
        _plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(mode="json"))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{type(value).__name__} has no stable form to fingerprint: {value!r:.80}")


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def sha256_files(paths: Iterable[Path], *, base: Path) -> str:
    """SHA-256 over (name relative to `base`, SHA-256) of each file, whatever the listing order."""
    entries = sorted((path.relative_to(base).as_posix(), sha256_file(path)) for path in paths)
    return sha256_hex(canonical_json(entries))


def stage_fingerprint(
    *,
    stage: str,
    version: int,
    settings: Any,
    inputs: Mapping[str, str],
    files: Sequence[tuple[str, str]],
) -> str:
    """Combine all that a stage's output is a function of.

    Args:
        stage: Name of the stage, so that two stages with equal inputs differ.
        version: The stage's version, which every change of its behaviour raises.
        settings: The part of the recipe that the stage reads.
        inputs: Identities of the stages that it reads from, by their names.
        files: (role, SHA-256) of each model, list, tokenizer or benchmark that it reads.
    """
    return sha256_hex(
        canonical_json(
            {
                "stage": stage,
                "version": version,
                "settings": settings,
                "inputs": dict(inputs),
                "files": sorted(files),
            }
        )
    )
