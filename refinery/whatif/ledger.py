"""Which files are the ledger that somebody names: of a run, of a stage's folder, or a bare file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from refinery.clean.config import CleanConfig
from refinery.datasets.runs import Run, is_run, open_run, read_manifest_of
from refinery.publish import storage
from schemas.errors import PipelineError, SettingsError
from schemas.manifest import Manifest

LEDGER_FOLDER = "table=ledger"


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """URIs of the files, and what the run around them says, where there is one.

    Attributes:
        files: Parquet files, each row of the ledger once.
        config: The settings that cleaning ran with; None where no record tells them.
        bytes_per_token: By source, measured by the run's dataset.
        stages: Names of the stages that the run has published.
    """

    files: tuple[str, ...]
    config: CleanConfig | None = None
    bytes_per_token: Mapping[str, float] = field(default_factory=dict)
    stages: tuple[str, ...] = ()


def find_ledger(where: str) -> Ledger:
    """The published ledger of a run, of a folder inside of one, or the files of any other folder.

    A folder of the stage `clean` holds the texts beside the ledger, and may hold several attempts:
    only the ledger of the published one is taken, so that no document counts twice.

    Raises:
        SettingsError: There is no ledger, or there are several and no run says which counts.
    """
    system, path = storage.file_system(where)
    if system.isfile(path):
        return _with_run(where, (where,))
    if is_run(where):
        return _of_run(where, open_run(where))
    files = [str(file) for file in system.find(path)] if system.exists(path) else []
    parts = [file for file in files if _is_part(file, path)]
    if any("/table=" in f"/{file}" for file in parts):
        parts = [file for file in parts if f"/{LEDGER_FOLDER}/" in file]
    attempts = sorted(
        {file.split(f"/{LEDGER_FOLDER}/")[0] for file in parts if LEDGER_FOLDER in file}
    )
    if len(attempts) > 1:
        output = _output_around(where)
        if output is None:
            names = ", ".join(attempt.rsplit("/", 1)[-1] for attempt in attempts[:3])
            raise SettingsError(f"{where}: ledgers of {len(attempts)} attempts ({names}); name one")
        return _of_run(where, open_run(output))
    if not parts:
        raise SettingsError(f"{where}: no ledger there: expected a run's folder or Parquet files")
    return _with_run(where, tuple(storage.uri_of(file, beside=where) for file in parts))


def _is_part(file: str, folder: str) -> bool:
    """Whether a file is data; Spark's own and hidden ones below the folder are not."""
    below = file.removeprefix(folder).strip("/").split("/")
    return file.endswith(".parquet") and not any(part.startswith((".", "_")) for part in below)


def _of_run(where: str, run: Run) -> Ledger:
    record = run.records.get("clean")
    if record is None:
        raise SettingsError(f"{where}: the run has no ledger yet: the stage 'clean' has not ended")
    folder = run.store.table_uri(record, "ledger")
    system, path = storage.file_system(folder)
    files = [str(file) for file in system.find(path)] if system.exists(path) else []
    return Ledger(
        files=tuple(storage.uri_of(file, beside=folder) for file in files if _is_part(file, path)),
        config=_config(run),
        bytes_per_token=measured_ratios(run.manifest) if run.manifest is not None else {},
        stages=tuple(run.records),
    )


def _with_run(where: str, files: tuple[str, ...]) -> Ledger:
    """Files that were named, with what the run around them says of its dataset."""
    output = _output_around(where)
    if output is None:
        return Ledger(files=files)
    manifest = read_manifest_of(output)
    ratios = measured_ratios(manifest) if manifest is not None else {}
    try:
        run = open_run(output)
    except PipelineError:  # the tables were moved here without their records
        return Ledger(files=files, bytes_per_token=ratios)
    record = run.records.get("clean")
    is_published = record is not None and all(f"/{record.attempt}/" in file for file in files)
    return Ledger(
        files=files, config=_config(run) if is_published else None, bytes_per_token=ratios
    )


def _output_around(where: str) -> str | None:
    """The nearest folder above that is the output of a run."""
    base = str(storage.local_path(where)) if storage.is_local(where) else where.rstrip("/")
    while "/" in base.partition("://")[2] or base.startswith("/"):
        base = base.rpartition("/")[0]
        if base and is_run(base):
            return base
    return None


def _config(run: Run) -> CleanConfig | None:
    settings = run.records["clean"].settings if "clean" in run.records else {}
    return CleanConfig.model_validate(settings["clean"]) if "clean" in settings else None


def measured_ratios(manifest: Manifest) -> dict[str, float]:
    """Bytes per token by source of a dataset."""
    sources = manifest.train.sources
    return {name: s.text_bytes / s.tokens for name, s in sources.items() if s.tokens}
