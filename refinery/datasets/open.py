"""Open a dataset folder, here or on a store, by its manifest."""

from __future__ import annotations

from pathlib import Path

from refinery.publish import storage
from refinery.publish.fetched import StoredFolder
from schemas.errors import ContractError
from schemas.manifest import MANIFEST_NAME, Manifest, read_manifest


def open_dataset(path: Path | str) -> tuple[StoredFolder, Manifest]:
    """The folder that a manifest's paths are relative to, and the manifest; `path` names either.

    Raises:
        ContractError: There is no manifest, or it is not of its form.
    """
    uri = str(path)
    if storage.is_local(uri):
        local = Path(uri.removeprefix("file://"))
        return StoredFolder(str(local if local.is_dir() else local.parent)), read_manifest(local)
    folder = StoredFolder(uri.removesuffix(MANIFEST_NAME))
    with folder.file(MANIFEST_NAME) as file:
        if not file.is_file():
            raise ContractError(
                f"{folder.uri}: no {MANIFEST_NAME} there; a folder without one is no dataset"
            )
        return folder, read_manifest(file)
