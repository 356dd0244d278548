"""Write the page and its JSON twin for a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from refinery.datasets.publish import dataset_uri
from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.runs import stages_of
from refinery.publish.store import Store
from refinery.report.collect import collect
from refinery.report.data import ReportData
from refinery.report.page import render_page
from refinery.report.sections.vocabulary import VIEWER
from refinery.report.vocabulary import viewer_page
from schemas.errors import ContractError
from schemas.manifest import MANIFEST_NAME, Manifest

PAGE, TWIN = "index.html", "report.json"


def write_report(
    output: str, store: Store, records: Mapping[str, StageRecord], previous: Path | None = None
) -> ReportData:
    """Write `index.html`, `report.json` and `vocabulary.html` into `report` below a run's output."""
    manifest = read_run_manifest(output)
    data = collect(store, records, manifest)
    page = render_page(data, read_report(previous) if previous else None)
    storage.replace(storage.join_uri(output, "report", PAGE), page.encode())
    twin = data.model_dump_json(indent=1) + "\n"
    storage.replace(storage.join_uri(output, "report", TWIN), twin.encode())
    viewer = viewer_page(store, records, data.vocabulary.texts) if data.vocabulary else None
    if viewer is not None:
        storage.replace(storage.join_uri(output, "report", VIEWER), viewer.encode())
    return data


def read_run_manifest(output: str) -> Manifest:
    """Read the manifest of a run's dataset.

    Raises:
        ContractError: The run has none yet.
    """
    uri = storage.join_uri(dataset_uri(output), MANIFEST_NAME)
    if not storage.exists(uri):
        raise ContractError(f"{uri}: no manifest there; run `refinery refine` to its end first")
    return Manifest.model_validate_json(storage.read_bytes(uri))


def read_report(path: Path) -> ReportData:
    """Read a report.json.

    Raises:
        ContractError: It cannot be read or has another form.
    """
    try:
        return ReportData.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ContractError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "top level"
        raise ContractError(
            f"{path}: no report.json of this version: {field}: {first['msg']}; for a run of an "
            "earlier version `refinery report OUTPUT` writes it again"
        ) from error


def run_records(output: str) -> tuple[Store, dict[str, StageRecord]]:
    """The store of a finished run, and its stage records by the fingerprints in its manifest.

    Raises:
        ContractError: A record that the manifest names is missing.
    """
    store = stages_of(output).store
    manifest = read_run_manifest(output)
    records = {}
    named = [(s.stage, s.fingerprint) for s in manifest.stages]
    for stage, fingerprint in [*named, ("pack", manifest.recipe_fingerprint)]:
        record = store.record(stage, fingerprint)
        if record is None:
            raise ContractError(f"{store.root}: the record of stage '{stage}' is missing")
        records[stage] = record
    return store, records
