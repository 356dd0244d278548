"""Outputs and the tables they were made from: a run's own records, and the outputs before it.

Tables that serve several outputs (`runtime.tables`) hold records of several recipes, so the newest
record of a stage need not be this run's: `run.json` names them.
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import ValidationError

from refinery.publish import locks, storage
from refinery.publish.records import StageRecord
from refinery.publish.run_file import RUN_NAME, RunFile, read_run_file, tables_uri
from refinery.publish.store import RUNS_FOLDER, Store
from schemas.errors import ContractError, SettingsError
from schemas.settings import Settings

TABLES_FOLDER = "tables"


@dataclass(frozen=True)
class RunStages:
    """The stages of the last run into an output; `file` is None for a version that wrote none."""

    output: str
    store: Store
    file: RunFile | None

    def find(self, stage: str) -> StageRecord | None:
        """This run's record of a stage; None where it has published none."""
        if self.file is None:
            records = self.store.records(stage)
            return max(records, key=lambda one: (one.started_at, one.fingerprint), default=None)
        fingerprint = self.file.stages.get(stage)
        return self.store.record(stage, fingerprint) if fingerprint else None

    def newest(self) -> dict[str, str]:
        """Fingerprint by stage, as far as this run came."""
        if self.file is not None:
            return dict(self.file.stages)
        found = {name: self.find(name) for name in self.store.stages()}
        return {name: one.fingerprint for name, one in found.items() if one is not None}

    def record(self, stage: str) -> StageRecord:
        """This run's record of a stage.

        Raises:
            SettingsError: It has not published the stage.
        """
        found = self.find(stage)
        if found is None:
            raise SettingsError(
                f"{self.output}: stage '{stage}' has published nothing yet; "
                f"run `refinery refine --until {stage}` first"
            )
        return found


def tables_root(output: str, tables: str | None) -> str:
    """Root of the tables: the ones that were named, else those inside the output."""
    return tables or storage.join_uri(output, TABLES_FOLDER)


def stages_of(output: str, tables: str | None = None) -> RunStages:
    """The stages that the last run into an output has published.

    Args:
        output: Folder or URI of the run.
        tables: Root of the tables, for a run that has not written its `run.json` yet.

    Raises:
        ContractError: Its `run.json` has another form.
    """
    file = read_run_file(output)
    root = tables_root(output, tables) if file is None else tables_uri(output, file)
    return RunStages(output, Store(root), file)


class RegisteredRun(Settings):
    """An output that uses a root of tables, and the stages of its last run."""

    output: str
    stages: dict[str, str]


def register_run(output: str, store: Store, stages: dict[str, str]) -> None:
    """Note among the tables which output uses them: `refinery clean` keeps what any output needs."""
    absolute = str(storage.local_path(output)) if storage.is_local(output) else output
    name = hashlib.sha256(absolute.encode()).hexdigest()[:16]
    uri = storage.join_uri(store.root, RUNS_FOLDER, f"{name}.run")
    run = RegisteredRun(output=absolute, stages=stages)
    storage.replace(uri, run.model_dump_json(indent=1).encode())


def registered_runs(store: Store) -> dict[str, RegisteredRun]:
    """The outputs that use a root of tables, by the URI of their note.

    Raises:
        ContractError: A note has another form.
    """
    system, path = storage.file_system(storage.join_uri(store.root, RUNS_FOLDER))
    runs = {}
    for file in sorted(system.glob(f"{path}/*.run")) if system.exists(path) else []:
        try:
            runs[str(file)] = RegisteredRun.model_validate_json(system.cat_file(file))
        except ValidationError as error:
            raise ContractError(f"{file}: not the note of a run: {error}") from error
    return runs


@contextmanager
def alone_in(output: str) -> Iterator[None]:
    """Keep a second run out of a local output.

    Raises:
        PipelineError: Another run holds it.
    """
    if not storage.is_local(output):
        yield
        return
    with locks.exclusive(storage.local_path(output)):
        yield


def earlier_outputs(pattern: str, *, before: str, stage: str) -> list[str]:
    """The outputs that a pattern names, sorted by name: those that have published a stage.

    Args:
        pattern: An output, or a pattern of them such as `runs/daily/*`.
        before: The output of a run; where the pattern names it too, it and those behind it are left
            out, so that the run finds the same ones whenever it is repeated.
        stage: The stage that a run must have published.
    """
    if not has_wildcard(pattern):
        return [pattern]
    outputs, path = matching_outputs(pattern), storage.file_system(pattern)[1]
    names = {output: storage.file_system(output)[1] for output in outputs}
    own = storage.file_system(before)[1].rstrip("/")
    if own in names.values() or fnmatch.fnmatch(own, path):
        outputs = [output for output in outputs if names[output] < own]
    runs = [stages_of(output) for output in outputs]
    return [run.output for run in runs if run.file is not None and stage in run.file.stages]


def has_wildcard(uri: str) -> bool:
    return any(sign in uri for sign in "*?[")


def matching_outputs(pattern: str) -> list[str]:
    """The outputs with a `run.json` that a pattern names, sorted by name."""
    system, path = storage.file_system(pattern)
    found = sorted(str(name) for name in system.glob(f"{path.rstrip('/')}/{RUN_NAME}"))
    return [storage.uri_of(name.removesuffix(f"/{RUN_NAME}"), beside=pattern) for name in found]
