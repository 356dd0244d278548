"""A run on disk or in a bucket, finished or not: its published stages, and its dataset if it has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from refinery.datasets.publish import dataset_uri
from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.run_file import RunFile, read_run_file, tables_uri
from refinery.publish.store import Store
from schemas.errors import ContractError, SettingsError
from schemas.manifest import MANIFEST_NAME, Manifest

TABLES_FOLDER = "tables"


@dataclass(frozen=True, kw_only=True)
class Run:
    """Published stages of one run, by name and in their order; superseded attempts are not in it.

    `manifest` is None where the run has not come to its end, and `file` where the run is of a
    version that wrote none.
    """

    output: str
    store: Store
    records: Mapping[str, StageRecord]
    manifest: Manifest | None = None
    file: RunFile | None = None


def is_run(output: str) -> bool:
    """Whether a folder or bucket prefix is the output of a run."""
    parts = (("run.json",), (TABLES_FOLDER,), ("dataset", MANIFEST_NAME))
    return any(storage.exists(storage.join_uri(output, *part)) for part in parts)


def open_run(output: str) -> Run:
    """The last run into an output.

    `run.json` names its stages; where there is none, the manifest does; where there is neither, the
    newest record that nothing supersedes, and those that it was made from.

    Raises:
        SettingsError: There is no run.
        ContractError: A record that the run or its manifest names is missing.
    """
    file, manifest = read_run_file(output), read_manifest_of(output)
    store = Store(tables_uri(output, file) if file else storage.join_uri(output, TABLES_FOLDER))
    named = _named_stages(file, manifest)
    if named is None:
        records = _newest_chain(store)
        if not records:
            raise SettingsError(
                f"{output}: no run there: neither {MANIFEST_NAME} of a dataset nor a record of a stage"
            )
    else:
        records = {stage: _record(store, stage, found) for stage, found in named.items()}
    if manifest is not None and file is not None:
        pack = records.get("pack")
        if pack is None or pack.fingerprint != manifest.recipe_fingerprint:
            manifest = None  # of an earlier run into the same output
    return Run(output=output, store=store, records=records, manifest=manifest, file=file)


def read_manifest_of(output: str) -> Manifest | None:
    """The manifest of an output's dataset; None where there is none yet.

    Raises:
        ContractError: It has another form.
    """
    uri = storage.join_uri(dataset_uri(output), MANIFEST_NAME)
    if not storage.exists(uri):
        return None
    try:
        return Manifest.model_validate_json(storage.read_bytes(uri))
    except ValidationError as error:
        raise ContractError(f"{uri}: not a manifest: {error}") from error


def _named_stages(file: RunFile | None, manifest: Manifest | None) -> dict[str, str] | None:
    """Fingerprints by stage, or None where neither file names any.

    A run that stopped early, and found nothing to do, leaves the dataset before it whole.
    """
    of_manifest = (
        {
            **{stage.stage: stage.fingerprint for stage in manifest.stages},
            "pack": manifest.recipe_fingerprint,
        }
        if manifest is not None
        else None
    )
    if file is None or (of_manifest and file.stages.items() <= of_manifest.items()):
        return of_manifest
    return dict(file.stages)


def _record(store: Store, stage: str, fingerprint: str) -> StageRecord:
    record = store.record(stage, fingerprint)
    if record is None:
        raise ContractError(f"{store.root}: the record of stage '{stage}' is missing")
    return record


def _newest_chain(store: Store) -> dict[str, StageRecord]:
    """Of every stage the record that the newest later one was made from, or the newest there is."""
    system, root = storage.file_system(store.root)
    if not system.exists(root):
        return {}
    found: list[StageRecord] = []
    for path in system.glob(f"{root}/*/*.json"):
        *_, stage, name = str(path).split("/")
        record = store.record(stage, name.removesuffix(".json"))
        if record is not None:
            found.append(record)
    chain: dict[str, StageRecord] = {}
    fixed: dict[str, str] = {}
    for record in sorted(found, key=lambda record: record.started_at, reverse=True):
        made_of = {record.stage: record.fingerprint, **record.inputs}
        if any(fixed.get(stage, one) != one for stage, one in made_of.items()):
            continue
        chain[record.stage] = record
        fixed.update(made_of)
    return dict(sorted(chain.items(), key=lambda item: item[1].started_at))
