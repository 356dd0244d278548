"""Published stages in one folder or bucket prefix.

    ROOT/<stage>/<fingerprint>.json          the record, written last; the first one wins
    ROOT/<stage>/<fingerprint>.killed/       what the guard ended in any try of that fingerprint
    ROOT/<stage>/<attempt>/table=<name>/     Parquet files of a table
    ROOT/<stage>/<attempt>/files/<name>      trained artefacts and side files
    ROOT/runs/<output>.run                   the run of each output that uses these tables

Every attempt has a folder of its own, so a killed run leaves nothing that a later one could read.
"""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import ValidationError

from refinery.publish import locks, storage
from refinery.publish.records import StageRecord, TableSummary
from schemas.errors import ContractError

# A folder with this suffix belongs to a fingerprint, not to an attempt, and outlives all attempts.
KEPT_SUFFIX = ".killed"
RUNS_FOLDER = "runs"


class Store:
    """The records and attempts of all stages below one root URI."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")

    def record(self, stage: str, fingerprint: str) -> StageRecord | None:
        """The published record of a stage, or None where that fingerprint was never finished."""
        uri = self.record_uri(stage, fingerprint)
        if not storage.exists(uri):
            return None
        try:
            return StageRecord.model_validate_json(storage.read_bytes(uri))
        except ValidationError as error:
            raise ContractError(f"{uri}: not a stage record: {error}") from error

    def stages(self) -> list[str]:
        """Names of all stages that have a folder here, sorted."""
        system, path = storage.file_system(self.root)
        system.invalidate_cache()
        if not system.exists(path):
            return []
        entries = system.ls(path, detail=True)
        folders = (e["name"].rstrip("/") for e in entries if e["type"] == "directory")
        return sorted(name for f in folders if (name := f.rsplit("/", 1)[-1]) != RUNS_FOLDER)

    def records(self, stage: str) -> list[StageRecord]:
        """All records of a stage, in the order of their fingerprints."""
        system, path = storage.file_system(storage.join_uri(self.root, stage))
        files = sorted(system.glob(f"{path}/*.json")) if system.exists(path) else []
        names = [file.rsplit("/", 1)[-1].removesuffix(".json") for file in files]
        found = (self.record(stage, name) for name in names)
        return [record for record in found if record is not None]

    def new_attempt(self, stage: str) -> str:
        """The URI of a folder that no other attempt has; nothing is created yet."""
        return storage.join_uri(self.root, stage, uuid.uuid4().hex)

    def publish(self, record: StageRecord) -> StageRecord:
        """Make an attempt visible; where another run was first, its record is returned."""
        data = record.model_dump_json(indent=2).encode()
        if storage.write_new(self.record_uri(record.stage, record.fingerprint), data):
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

    def record_uri(self, stage: str, fingerprint: str) -> str:
        return storage.join_uri(self.root, stage, f"{fingerprint}.json")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep all runs out of a local root; an object store has no locks.

        Raises:
            PipelineError: A run uses the root; its process is named.
        """
        if not storage.is_local(self.root):
            yield
            return
        with locks.exclusive(storage.local_path(self.root)):
            yield

    @contextlib.contextmanager
    def share(self) -> Iterator[None]:
        """Use the root beside runs of other outputs; the first of them removes what dead runs left."""
        if not storage.is_local(self.root):
            yield
            return
        with locks.shared(storage.local_path(self.root), self.remove_debris):
            yield

    @contextlib.contextmanager
    def claim(self, fingerprint: str, waiting: Callable[[], None]) -> Iterator[None]:
        """Compute one fingerprint in one process at a time; `waiting` is called before a wait."""
        if not storage.is_local(self.root):
            yield
            return
        with locks.claimed(storage.local_path(self.root), fingerprint, waiting):
            yield

    def remove_debris(self) -> list[Path]:
        """Delete attempts that no record names (local roots only); returns what was removed."""
        root = storage.local_path(self.root)
        removed = []
        for name in self.stages():
            named = {record.attempt for record in self.records(name)}
            for attempt in sorted((root / name).iterdir()):
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


def summarise_tables(attempt_uri: str) -> dict[str, TableSummary]:
    """Sizes of an attempt's tables by name."""
    system, path = storage.file_system(attempt_uri)
    if not system.exists(path):
        return {}
    folders = sorted(name.rsplit("/", 1)[-1] for name in system.ls(path, detail=False))
    names = [f.removeprefix("table=") for f in folders if f.startswith("table=")]
    return {name: summarise_table(storage.join_uri(attempt_uri, f"table={name}")) for name in names}
