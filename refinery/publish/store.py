"""Published stages in one folder or bucket prefix.

    ROOT/<stage>/<fingerprint>.json          the record, written last; the first one wins
    ROOT/<stage>/<fingerprint>.killed/       what the guard ended in any try of that fingerprint
    ROOT/<stage>/<attempt>/table=<name>/     Parquet files of a table
    ROOT/<stage>/<attempt>/files/<name>      trained artefacts and side files

Every attempt has a folder of its own, so a killed run leaves nothing that a later one could read.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import ValidationError

from refinery.publish import storage
from refinery.publish.records import StageRecord, TableSummary
from schemas.errors import ContractError, PipelineError

# A folder with this suffix belongs to a fingerprint, not to an attempt, and outlives all attempts.
KEPT_SUFFIX = ".killed"


class Store:
    """The records and attempts of all stages below one root URI."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")

    def record(self, stage: str, fingerprint: str) -> StageRecord | None:
        """The published record of a stage, or None where that fingerprint was never finished."""
        uri = self._record_uri(stage, fingerprint)
        if not storage.exists(uri):
            return None
        try:
            return StageRecord.model_validate_json(storage.read_bytes(uri))
        except ValidationError as error:
            raise ContractError(f"{uri}: not a stage record: {error}") from error

    def new_attempt(self, stage: str) -> str:
        """The URI of a folder that no other attempt has; nothing is created yet."""
        return storage.join_uri(self.root, stage, uuid.uuid4().hex)

    def publish(self, record: StageRecord) -> StageRecord:
        """Make an attempt visible; where another run was first, its record is returned."""
        data = record.model_dump_json(indent=2).encode()
        if storage.write_new(self._record_uri(record.stage, record.fingerprint), data):
            return record
        winner = self.record(record.stage, record.fingerprint)
        assert winner is not None, "a record that exists cannot be missing"
        return winner

    def table_uri(self, record: StageRecord, table: str) -> str:
        """Folder of a table's Parquet files; absent on disk where the table is empty."""
        return storage.join_uri(self.root, record.stage, record.attempt, f"table={table}")

    def artefact_uri(self, record: StageRecord, name: str) -> str:
        """URI of a trained artefact or side file.

        Raises:
            ContractError: The stage published none of that name.
        """
        if name not in record.artefacts:
            raise ContractError(f"{record.stage}: published {list(record.artefacts)}, not '{name}'")
        return storage.join_uri(self.root, record.stage, record.attempt, "files", name)

    def _record_uri(self, stage: str, fingerprint: str) -> str:
        return storage.join_uri(self.root, stage, f"{fingerprint}.json")

    @contextlib.contextmanager
    def lock(self) -> Iterator[list[Path]]:
        """Keep a second run out of a local root, and remove what dead runs left there.

        The lock is the kernel's (`flock`): it goes with the process, so there are no stale ones. On
        object stores two runs may race; the first record wins, and only `refinery clean` removes.

        Yields:
            The folders that were removed.

        Raises:
            PipelineError: Another run holds the folder.
        """
        if not storage.is_local(self.root):
            yield []
            return
        root = storage.local_path(self.root)
        root.mkdir(parents=True, exist_ok=True)
        with (root / ".lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise PipelineError(f"{root}: in use by another run (process {holder})") from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield self.remove_debris()

    def remove_debris(self) -> list[Path]:
        """Delete attempts that no record names (local roots only); returns what was removed."""
        root = storage.local_path(self.root)
        removed = []
        for stage in (path for path in root.iterdir() if path.is_dir()):
            named = {
                StageRecord.model_validate_json(path.read_bytes()).attempt
                for path in stage.glob("*.json")
            }
            for attempt in stage.iterdir():
                is_attempt = attempt.is_dir() and not attempt.name.endswith(KEPT_SUFFIX)
                if is_attempt and attempt.name not in named:
                    shutil.rmtree(attempt)
                    removed.append(attempt)
        return removed


def summarise_table(uri: str) -> TableSummary:
    """Count the rows and bytes of a table from its Parquet footers; no Spark job is run."""
    system, path = storage.file_system(uri)
    rows = size = 0
    # A table in folders (an index by bucket) has its files below them.
    paths: list[Any] = system.find(path) if system.exists(path) else []
    files = [file for file in paths if file.endswith(".parquet")]
    for file in files:
        with system.open(file, "rb") as stream:
            rows += pq.ParquetFile(stream).metadata.num_rows
        size += system.size(file)
    return TableSummary(rows=rows, bytes=size, files=len(files))
