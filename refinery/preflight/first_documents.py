"""Open one file of a source: its form against the declared one, its fields, its first document."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

import pyarrow as pa

from refinery.preflight.missing import nothing_there
from refinery.publish import storage
from refinery.publish.runs import has_wildcard
from refinery.sources.binary_files import needs_spark
from refinery.sources.config import ReadLimits, SourceConfig
from refinery.sources.field_guess import FieldGuess, guess_fields
from refinery.sources.formats import FORMS_READ, ROW_FORMATS, format_of
from refinery.sources.listing import InputFile, list_files
from refinery.sources.peek import first_rows, sniff_file
from refinery.sources.reading import read_stream
from refinery.sources.record import Broken, Fetch
from refinery.sources.rows import row_outcome
from refinery.sources.store_paths import files_below, parts_below
from refinery.sources.table_folders import find_tables
from schemas.errors import SettingsError
from schemas.settings import closest

# What an odd value may make a reader raise.
UNFORESEEN = (ValueError, OverflowError, TypeError, EOFError, RuntimeError, pa.ArrowException)
# A file may begin with images or redirects; so many records are looked through.
MOST_RECORDS = 200


@dataclass(frozen=True)
class FirstDocument:
    """The file that was opened, and what it holds; `document` is None where Spark alone reads it."""

    source: str
    num_files: int
    file: str
    form: str | None
    fields: FieldGuess | None
    document: Fetch | None


def check_first_document(source: SourceConfig) -> FirstDocument | None:
    """Look into the first file of a source that has bytes.

    Returns:
        None where only Spark's connectors can open the source.

    Raises:
        SettingsError: No file, a file of another form, or no document among its first records.
    """
    if source.format == "spark":
        return _check_table(source)
    if needs_spark(source):
        return None
    if not storage.exists(source.uri):
        raise nothing_there(f"source '{source.name}'", source.uri)
    files = list_files(source)
    file = next((one for one in files if one.size), None)
    if file is None:
        first = files[0].name if files else "no file"
        return FirstDocument(source.name, len(files), first, None, None, None)
    system, path = storage.file_system(file.uri)
    try:
        with system.open(path, "rb") as stream:
            return _look(stream, file, source, len(files))
    except OSError as error:
        raise SettingsError(
            f"source '{source.name}': {file.uri} cannot be read ({error})"
        ) from error


# DataSources whose files pyarrow reads too, with the endings of those files.
_TABLE_FILES = {"orc": ".orc", "delta": ".parquet", "parquet": ".parquet"}


def _check_table(source: SourceConfig) -> FirstDocument | None:
    """Look into a file of a table that lies where fsspec reaches; Spark is not started.

    Raises:
        SettingsError: Nothing is there, or the rows have no such field.
    """
    ending = _TABLE_FILES.get((source.spark and source.spark.format) or "")
    is_reached = ending is not None and not has_wildcard(source.uri) and _reaches(source.uri)
    if ending is None or not is_reached:
        return None
    if not storage.exists(source.uri):
        raise nothing_there(f"source '{source.name}'", source.uri)
    options = source.spark.options if source.spark else {}
    listed = list_files(source.model_copy(update={"may_be_empty": True}))
    wanted = PurePosixPath(options.get("pathGlobFilter", "*"))
    files = [f for f in listed if PurePosixPath(f.name).match(str(wanted)) and f.size]
    file = next((f for f in files if f.name.lower().endswith(ending)), None)
    if file is None:
        return None  # names of another kind: Spark may know them
    system, path = storage.file_system(file.uri)
    with system.open(path, "rb") as stream:
        rows = first_rows(stream, file.name, "spark")
    fields = guess_fields(rows)
    _check_fields(fields, file, source)
    outcome = None
    if rows:
        outcome = row_outcome(dict(rows[0]), 0, source.fields, ReadLimits().max_document_bytes)
    document = outcome if isinstance(outcome, Fetch) else None
    return FirstDocument(source.name, len(files), file.name, ending[1:], fields, document)


def table_note(source: SourceConfig) -> str | None:
    """What to say of a source of Parquet files that are a table of Delta or Iceberg; None of others."""
    if source.format != "parquet" or not storage.is_local(source.uri):
        return None
    root = storage.local_path(source.uri)
    names = [PurePosixPath(*parts_below(path, root)) for path in files_below(root)]
    table = next((one for one in find_tables(names)), None)
    return None if table is None else table.note


def _reaches(uri: str) -> bool:
    try:
        storage.file_system(uri)
    except (ValueError, ImportError):
        return False
    return True


def _look(stream: BinaryIO, file: InputFile, source: SourceConfig, num_files: int) -> FirstDocument:
    form = sniff_file(stream, file.name)
    if form is not None and form not in FORMS_READ[source.format]:
        named = format_of(file.name).format
        hint = form if form in FORMS_READ else named if named and named != source.format else None
        told = f"; did you mean 'format: {hint}'?" if hint else ""
        raise SettingsError(
            f"source '{source.name}': {file.uri} is {form}, declared as format: {source.format}{told}"
        )
    fields = None
    if source.format in ROW_FORMATS:
        stream.seek(0)
        fields = guess_fields(first_rows(stream, file.name, source.format))
        _check_fields(fields, file, source)
    stream.seek(0)
    document, broken = _first(stream, file, source)
    if document is None and broken is not None and num_files == 1:
        raise SettingsError(
            f"source '{source.name}': {file.uri} has no document among its first records; "
            f"{broken.reason}: {broken.message}"
        )
    return FirstDocument(source.name, num_files, file.name, form, fields, document)


def _first(
    stream: BinaryIO, file: InputFile, source: SourceConfig
) -> tuple[Fetch | None, Broken | None]:
    """The first document of the first records, and the first of them that is broken.

    Raises:
        SettingsError: The reader gave up; a run would give up there, too.
    """
    broken = None
    try:
        outcomes = read_stream(stream, source=source, name=file.name, limits=ReadLimits())
        for outcome in itertools.islice(outcomes, MOST_RECORDS):
            if isinstance(outcome, Fetch):
                return outcome, broken
            if isinstance(outcome, Broken) and broken is None:
                broken = outcome
    except UNFORESEEN as error:
        told = f"{type(error).__name__}: {error}"
        raise SettingsError(
            f"source '{source.name}': {file.uri} cannot be read: {told:.300}"
        ) from error
    return None, broken


def _check_fields(fields: FieldGuess, file: InputFile, source: SourceConfig) -> None:
    """Refuse a text field that the first rows do not have."""
    wanted = source.fields.text
    if not fields.names or wanted in fields.names:
        return
    found = ", ".join(fields.names)
    hint = closest(wanted, fields.names)
    if not hint and fields.text:
        hint = f"; did you mean 'fields: {{text: {fields.text}}}'?"
    raise SettingsError(
        f"source '{source.name}': no field '{wanted}' in {file.uri}, found {found}{hint}"
    )
