"""One document out of a WARC, JSONL, Parquet, CSV or zip file, by its number or its address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from refinery.publish import storage
from refinery.sources.config import FieldMapping, ReadLimits, SourceConfig
from refinery.sources.field_guess import guess_fields
from refinery.sources.formats import ROW_FORMATS, format_of
from refinery.sources.peek import first_rows
from refinery.sources.reading import read_stream
from refinery.sources.record import Broken, Fetch
from refinery.sources.urls import normalise_url
from schemas.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which document of a file is meant: its number among the documents, or its address."""

    record: int | None = None
    url: str | None = None


def find_record(uri: str, wanted: Wanted, source: SourceConfig | None = None) -> Fetch | Broken:
    """The document that is meant, as ingest reads it; the first where nothing says which.

    Args:
        uri: The file.
        wanted: Which of its documents.
        source: How a recipe reads such files; without one, fields are guessed from the first rows.

    Raises:
        SettingsError: The file has no such document; says how many it has.
    """
    name = uri.rsplit("/", 1)[-1]
    chosen = source or _guessed(uri, name)
    matches = _matcher(wanted)
    documents = 0
    system, path = storage.file_system(uri)
    try:
        with system.open(path, "rb") as stream:
            for outcome in read_stream(stream, source=chosen, name=name, limits=ReadLimits()):
                if isinstance(outcome, Fetch | Broken):
                    if matches(documents, outcome):
                        return outcome
                    documents += 1
    except OSError as error:
        raise SettingsError(f"{uri}: cannot be read ({error})") from error
    asked = f"the address '{wanted.url}'" if wanted.url else f"number {wanted.record}"
    counted = f"{documents:,} of its records, counted from 0, are documents or rejects"
    raise SettingsError(f"{uri}: no record with {asked}; {counted}")


def _matcher(wanted: Wanted) -> Callable[[int, Fetch | Broken], bool]:
    if wanted.url is not None:
        address = normalise_url(wanted.url)
        return lambda _, found: found.url is not None and normalise_url(found.url) == address
    return lambda number, _: number == (wanted.record or 0)


def _guessed(uri: str, name: str) -> SourceConfig:
    kind = format_of(name).format
    assert kind is not None, "callers ask explain_file.holds_many first"
    fields = FieldMapping()
    if kind in ROW_FORMATS:
        system, path = storage.file_system(uri)
        with system.open(path, "rb") as stream:
            guess = guess_fields(first_rows(stream, name, kind))
        if guess.text is not None:
            fields = FieldMapping(
                text=guess.text,
                url=guess.url,
                mime="text/html" if guess.is_html else "text/plain",
            )
    return SourceConfig(name="file", uri=uri, format=kind, fields=fields)
