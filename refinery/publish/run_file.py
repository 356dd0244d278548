"""`run.json` of an output: the recipe, the command and the published stages of the last run into it.

Records name stages, not runs: with `runtime.output` alone nobody could say which of several records
of a stage belongs to the run that has just failed. Written again after each stage, so an unfinished
run can be asked and reported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from pydantic import Field, ValidationError

from refinery.publish import storage
from schemas.errors import ContractError
from schemas.settings import Settings

RUN_NAME = "run.json"
MASK = "***"
# What decides a run's texts and speed; a package that is not installed is left out.
PACKAGES = (
    "pyspark", "pyarrow", "numpy", "pandas", "tokenizers", "transformers", "sentencepiece", "rjieba",
    "resiliparse", "fastwarc", "fasttext-community", "ftfy", "numba", "datasketch",
)  # fmt: skip
_SECRET_NAME = re.compile(r"passw|secret|credential|access.?key|account.?key|api.?key|auth(?!or)|sas.?token", re.I)  # fmt: skip
_USER_IN_URI = re.compile(r"(\w+://)[^/@\s]+@")


class RunFile(Settings):
    """The last run into an output."""

    name: str
    command: tuple[str, ...] = Field(description="arguments of the process, secrets masked")
    code_version: str
    packages: dict[str, str] = Field(description="versions by name, Python among them")
    settings: dict[str, Any] = Field(
        description="recipe and runtime without defaults, secrets masked"
    )
    tables: str = Field(
        description="folder with the records and tables: its URI, or relative to the output"
    )
    stages: dict[str, str] = Field(description="fingerprint by stage, in order, as far as it came")
    started_at: str


def write_run_file(output: str, run: RunFile) -> None:
    uri = storage.join_uri(output, RUN_NAME)
    storage.replace(uri, (run.model_dump_json(indent=1) + "\n").encode())


def tables_uri(output: str, run: RunFile) -> str:
    """URI of the folder with the run's records and tables."""
    absolute = "://" in run.tables or run.tables.startswith("/")
    return run.tables if absolute else storage.join_uri(output, run.tables)


def relative_tables(output: str, tables: str) -> str:
    """How `RunFile.tables` names a folder: relative where it lies in the output, which may move."""
    prefix = output.rstrip("/") + "/"
    if tables.startswith(prefix):
        return tables.removeprefix(prefix)
    return str(storage.local_path(tables)) if storage.is_local(tables) else tables


def read_run_file(output: str) -> RunFile | None:
    """The file, or None where none was written (runs of versions up to 0.2).

    Raises:
        ContractError: It has another form.
    """
    uri = storage.join_uri(output, RUN_NAME)
    if not storage.exists(uri):
        return None
    try:
        return RunFile.model_validate_json(storage.read_bytes(uri))
    except ValidationError as error:
        raise ContractError(f"{uri}: not the file of a run: {error}") from error


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that texts depend on."""
    found = {"python": python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def masked_settings(settings: Any) -> Any:
    """Settings with every secret masked: by the key's name, and user and password in URIs."""
    if isinstance(settings, Mapping):
        return {
            key: MASK
            if isinstance(value, str) and _SECRET_NAME.search(str(key))
            else masked_settings(value)
            for key, value in settings.items()
        }
    if isinstance(settings, str):
        return _USER_IN_URI.sub(rf"\1{MASK}@", settings)
    if isinstance(settings, Sequence):
        return [masked_settings(value) for value in settings]
    return settings


def masked_command(arguments: Sequence[str]) -> tuple[str, ...]:
    """Arguments of a command with the values of secret settings masked."""
    shown = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if equals and _SECRET_NAME.search(name):
            value = MASK
        elif _SECRET_NAME.search(value):
            # A setting of several keys (`options={user: u, password: p}`): nothing of it is shown.
            value = MASK
        shown.append(_USER_IN_URI.sub(rf"\1{MASK}@", f"{name}{equals}{value}"))
    return tuple(shown)
