"""Verdicts of the guard, kept beside the stage so that a rerun takes the same ones.

    ROOT/<stage>/<fingerprint>.killed/<doc_id>.json

A time limit depends on the machine and on its load. So the worker writes a row here at once, long
before the stage is published, and every later try of the same fingerprint (a retried task, a rerun
after an interruption, a record that was removed) reads it instead of running the document again:
load cannot change the data. One file per document, because workers write them independently; the
first writer wins.
"""

from __future__ import annotations

import json

from refinery.clean.guarded_child import Killed
from refinery.publish import storage
from schemas.errors import ContractError


class StoredVerdicts:
    """The verdicts under one URI, which are read once; every task opens its own."""

    def __init__(self, uri: str) -> None:
        """Read the verdicts of earlier tries.

        Raises:
            ContractError: A file in the folder is not a verdict.
        """
        self._uri = uri
        self._known: dict[str, Killed] = {}
        system, path = storage.file_system(uri)
        if not system.exists(path):
            return
        for file in sorted(system.ls(path, detail=False)):
            name = str(file).rsplit("/", 1)[-1]
            # Files that are still being written begin with a dot.
            if name.endswith(".json") and not name.startswith("."):
                self._known[name.removesuffix(".json")] = _parse(
                    storage.join_uri(uri, name), bytes(system.cat_file(file))
                )

    def find(self, doc_id: str | None) -> Killed | None:
        """The verdict of an earlier try that ended this document; None without one."""
        return None if doc_id is None else self._known.get(doc_id)

    def store(self, doc_id: str | None, killed: Killed) -> Killed:
        """Store a verdict and return it; where another worker was first, return that one's."""
        if doc_id is None:
            return killed
        uri = storage.join_uri(self._uri, f"{doc_id}.json")
        row = {"doc_id": doc_id, "reason": killed.reason, "message": killed.message}
        if not storage.write_new(uri, (json.dumps(row) + "\n").encode()):
            killed = _parse(uri, storage.read_bytes(uri))
        self._known[doc_id] = killed
        return killed


def _parse(uri: str, data: bytes) -> Killed:
    try:
        row = json.loads(data)
        return Killed(row["reason"], row["message"])
    except (ValueError, KeyError, TypeError) as error:
        message = f"{uri}: not a verdict of the guard ({error}); remove it to try the page again"
        raise ContractError(message) from error
