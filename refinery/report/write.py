"""Write the page and its JSON twin for a run."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from refinery.datasets.publish import dataset_uri
from refinery.datasets.runs import Run, open_run, read_manifest_of
from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.report.collect import collect
from refinery.report.data import ReportData
from refinery.report.page import render_page
from refinery.report.sections.vocabulary import VIEWER
from refinery.report.vocabulary import viewer_page
from schemas.errors import ContractError
from schemas.manifest import MANIFEST_NAME, Manifest

PAGE, TWIN = "index.html", "report.json"


def write_report(run: Run, previous: Path | None = None) -> ReportData:
    """Write `index.html`, `report.json` and `vocabulary.html` into `report` below a run's output."""
    data = collect(run)
    page = render_page(data, read_report(previous) if previous else None)
    storage.replace(storage.join_uri(run.output, "report", PAGE), page.encode())
    twin = data.model_dump_json(indent=1) + "\n"
    storage.replace(storage.join_uri(run.output, "report", TWIN), twin.encode())
    texts = data.vocabulary.texts if data.vocabulary else ()
    viewer = viewer_page(run.store, run.records, texts) if data.vocabulary else None
    if viewer is not None:
        storage.replace(storage.join_uri(run.output, "report", VIEWER), viewer.encode())
    return data


def read_run_manifest(output: str) -> Manifest:
    """Read the manifest of a run's dataset.

    Raises:
        ContractError: The run has none yet.
    """
    manifest = read_manifest_of(output)
    if manifest is None:
        uri = storage.join_uri(dataset_uri(output), MANIFEST_NAME)
        raise ContractError(f"{uri}: no manifest there; run `refinery refine` to its end first")
    return manifest


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
    """The store of a run, and the records of its stages.

    Raises:
        ContractError: A record that the run or its manifest names is missing.
    """
    run = open_run(output)
    return run.store, dict(run.records)
