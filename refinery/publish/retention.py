"""Which published stages somebody still needs: those of the last run of each output, and their inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.run_file import RUN_NAME
from refinery.publish.runs import registered_runs
from refinery.publish.store import KEPT_SUFFIX, Store


@dataclass(frozen=True)
class Surplus:
    """What can go: records that nobody needs, and folders that no record that stays names."""

    records: tuple[StageRecord, ...]
    folders: tuple[str, ...]


def superseded(store: Store, keep: set[tuple[str, str]]) -> list[StageRecord]:
    """Records that neither a run of an output that is still there nor one to keep is made of.

    Args:
        store: The tables.
        keep: (stage, fingerprint) of records that stay beside those of the outputs' last runs.
    """
    every = {(r.stage, r.fingerprint): r for name in store.stages() for r in store.records(name)}
    needed = set(keep)
    for run in registered_runs(store).values():
        if storage.exists(storage.join_uri(run.output, RUN_NAME)):
            needed |= set(run.stages.items())
    open_ = [every[key] for key in needed if key in every]
    while open_:
        inputs = set(open_.pop().inputs.items()) - needed
        needed |= inputs
        open_ += [every[key] for key in inputs if key in every]
    return [record for key, record in sorted(every.items()) if key not in needed]


def attempts_without_record(
    store: Store, gone: Iterable[StageRecord], *, age_hours: float
) -> list[str]:
    """Folders of attempts that no record names, once `gone` are removed.

    Args:
        store: The tables.
        gone: Records that are to be removed.
        age_hours: Attempts without any record stay while their newest file is younger: on an object
            store no lock says whether a living run writes them.
    """
    leaving = {(record.stage, record.fingerprint): record.attempt for record in gone}
    found = []
    for name in store.stages():
        records = {(r.stage, r.fingerprint): r.attempt for r in store.records(name)}
        staying = {attempt for key, attempt in records.items() if key not in leaving}
        for folder in _folders(store, name):
            attempt = folder.rsplit("/", 1)[-1]
            if attempt.endswith(KEPT_SUFFIX) or attempt in staying:
                continue
            if attempt in leaving.values() or _is_older(folder, age_hours):
                found.append(folder)
    return sorted(found)


def remove(store: Store, surplus: Surplus) -> None:
    """Remove records first, so that no record ever names a folder that is gone."""
    for record in surplus.records:
        system, path = storage.file_system(store.record_uri(record.stage, record.fingerprint))
        system.rm_file(path)
    for folder in surplus.folders:
        system, path = storage.file_system(folder)
        system.rm(path, recursive=True)


def _folders(store: Store, stage: str) -> list[str]:
    system, path = storage.file_system(storage.join_uri(store.root, stage))
    # What a search of files left in the store's cache has no folders.
    system.invalidate_cache()
    names = [
        e["name"].rstrip("/") for e in system.ls(path, detail=True) if e["type"] == "directory"
    ]
    return [storage.uri_of(name, beside=store.root) for name in names]


def _is_older(folder: str, hours: float) -> bool:
    if hours <= 0:
        return True
    system, path = storage.file_system(folder)
    times = [_changed(info) for info in system.find(path, detail=True).values()]
    newest = max((time for time in times if time is not None), default=None)
    return newest is None or newest < datetime.now(UTC) - timedelta(hours=hours)


def _changed(info: dict[str, object]) -> datetime | None:
    """When a file was written: a store's `LastModified`, a disk's `mtime`."""
    moment = info.get("LastModified") or info.get("last_modified") or info.get("mtime")
    milliseconds = info.get("modificationTime")
    if moment is None and isinstance(milliseconds, int):  # WebHDFS
        moment = milliseconds / 1000
    if isinstance(moment, int | float):
        return datetime.fromtimestamp(moment, UTC)
    return moment if isinstance(moment, datetime) else None
