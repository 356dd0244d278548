"""Whether the output holds the dataset of another recipe, by the settings that its run kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from refinery.datasets.publish import dataset_uri
from refinery.datasets.runs import open_run, read_manifest_of
from refinery.publish import storage
from refinery.publish.run_file import masked_settings
from refinery.recipe import RefineSettings
from schemas.errors import ContractError, SettingsError
from schemas.manifest import MANIFEST_NAME
from schemas.settings import parse_settings

# Where files lie is no part of what they hold; the runner compares contents.
LOCATIONS = {
    "uri", "reader", "path", "labels", "tokenizer", "donor", "lists", "earlier", "model",
    "train_bytes", "runs",
}  # fmt: skip
SHOWN = 3


def check_dataset(settings: RefineSettings) -> None:
    """Keep a finished dataset of another recipe from being found only when it is to be overwritten.

    Raises:
        ContractError: The dataset was made by other settings; the first that differ are named.
    """
    output = settings.runtime.output
    folder = dataset_uri(output)
    if not storage.exists(storage.join_uri(folder, MANIFEST_NAME)):
        return
    run = open_run(output)
    if run.file is None or run.manifest is None:
        return  # of a version without the file, or of an earlier run: the runner compares
    try:
        earlier = parse_settings(RefineSettings, run.file.settings, where="run.json")
    except SettingsError:
        return  # of a version with other settings
    there, here = (
        masked_settings(one.recipe.model_dump(mode="json")) for one in (earlier, settings)
    )
    changes = list(_changes(there, here))
    if changes:
        raise other_dataset(folder, settings.runtime.tables_uri, "; ".join(changes[:SHOWN]))


def refuse_dataset_of_other_stage(settings: RefineSettings, stage: str, fingerprint: str) -> None:
    """Stop before the first stage that the dataset in the output was not made from is computed.

    A stage of artefacts alone counts by their content, which nobody knows before it has run.

    Raises:
        ContractError: The dataset was made from another recipe or input.
    """
    folder = dataset_uri(settings.runtime.output)
    manifest = read_manifest_of(settings.runtime.output)
    named = next((one for one in manifest.stages if one.stage == stage), None) if manifest else None
    if named is not None and named.rows and named.fingerprint != fingerprint:
        raise other_dataset(
            folder,
            settings.runtime.tables_uri,
            f"its stage '{stage}' has fingerprint {named.fingerprint[:12]}, this run's {fingerprint[:12]}",
        )


def other_dataset(folder: str, tables: str, difference: str) -> ContractError:
    """The error for a folder that holds the dataset of another recipe or input."""
    return ContractError(
        f"{folder} holds a dataset of another recipe or input ({difference}); choose another "
        f"runtime.output and set runtime.tables to {tables}, which computes no stage twice, or "
        "remove that folder"
    )


def _changes(there: Any, here: Any, where: str = "recipe") -> Iterator[str]:
    """One line for each setting that differs."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted({*there, *here} - LOCATIONS):
            yield from _changes(there.get(key), here.get(key), f"{where}.{key}")
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for index, (old, new) in enumerate(zip(there, here, strict=True)):
            yield from _changes(old, new, f"{where}[{index}]")
    elif there != here:
        yield f"{where} is {_short(there)} there, {_short(here)} here"


def _short(value: object) -> str:
    return f"{value!r:.60}"
