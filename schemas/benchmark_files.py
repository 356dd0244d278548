"""Benchmark files as their authors publish them: JSONL, CSV, TSV, XML and lines; plain, gzip, bzip2 or zip.

The refinery searches documents for the items, the trainer scores models on them: both read the files
here, so an item has one id.
"""

from __future__ import annotations

import ast
import bz2
import csv
import fnmatch
import glob
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self
from xml.etree import ElementTree

from pydantic import Field, model_validator

from schemas.errors import SettingsError
from schemas.settings import Settings, closest

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class BenchmarkFiles(Settings):
    """Where the items of a benchmark lie, and in which form.

    Files may be compressed by gzip or bzip2, or lie in a zip archive; `lines` has `columns` lines
    per item (HellaSwag's text form).
    """

    path: str = Field(description="a file, a folder of files, or a pattern such as test/*.csv")
    format: Literal["jsonl", "csv", "tsv", "xml", "lines"] = Field(
        default="jsonl", description="lines: an item is as many lines as there are `columns`"
    )
    members: str = Field(default="*", description="pattern of the files inside a zip archive")
    columns: tuple[str, ...] | None = Field(
        default=None, description="names of the columns where a file has no header line"
    )
    element: str = Field(default="pair", description="XML element that holds one item")
    id_field: str | None = Field(
        default=None, description="field of the item's id; null: its number in the file"
    )

    @model_validator(mode="after")
    def _lines_have_columns(self) -> Self:
        if self.format == "lines" and not self.columns:
            raise ValueError("format 'lines' needs columns: the names of an item's lines")
        return self


@dataclass(frozen=True, kw_only=True)
class Row:
    """One item as its file has it.

    Attributes:
        item_id: Its id; where there are several files, it begins with the file's name.
        file: Name of the file without its endings.
        where: File and number, for messages.
        values: Its fields.
    """

    item_id: str
    file: str
    where: str
    values: dict[str, Any]

    def value(self, name: str) -> Any:
        """A field; dots lead into objects.

        Raises:
            SettingsError: There is none; it names the nearest one.
        """
        if name in self.values:
            return _listed(self.values[name])
        value: Any = self.values
        for part in name.split("."):
            if not isinstance(value, dict) or part not in value:
                names = sorted(map(str, self.values))
                hint = closest(name, names)
                raise SettingsError(f"{self.where}: no field '{name}', found {names}{hint}")
            value = value[part]
        return value


def benchmark_paths(files: BenchmarkFiles, name: str) -> list[Path]:
    """The files of a benchmark, sorted by name.

    Raises:
        SettingsError: Nothing lies at the path.
    """
    path = Path(files.path)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if {f".{files.format}", ".zip"} & set(p.suffixes))
    else:
        found = sorted(Path(p) for p in glob.glob(files.path))
    if not found:
        raise SettingsError(f"benchmark '{name}': no file at {files.path}")
    return found


def read_rows(files: BenchmarkFiles, name: str) -> list[Row]:
    """All items of a benchmark, in the order of the files.

    Raises:
        SettingsError: A file is missing, unreadable or empty.
    """
    texts = [text for path in benchmark_paths(files, name) for text in _texts(path, files, name)]
    rows: list[Row] = []
    for location, data in texts:
        own = list(_rows_of(location, data, files, name, several=len(texts) > 1))
        if not own:
            raise SettingsError(f"benchmark '{name}': {location} holds no item")
        rows += own
    return rows


def first_rows(files: BenchmarkFiles, name: str) -> Iterator[Row]:
    """The first item of each file, for a check of its fields.

    Raises:
        SettingsError: As `read_rows`.
    """
    for path in benchmark_paths(files, name):
        for location, data in _texts(path, files, name):
            row = next(_rows_of(location, data, files, name, several=True), None)
            if row is None:
                raise SettingsError(f"benchmark '{name}': {location} holds no item")
            yield row


def read_labels(path: str | None, name: str) -> list[str]:
    """The answers of a file with one per line; none without a path.

    Raises:
        SettingsError: The file cannot be read.
    """
    if path is None:
        return []
    try:
        return Path(path).read_text(encoding="utf-8").split()
    except OSError as error:
        raise SettingsError(f"benchmark '{name}': {path}: {error}") from error


def plain_text(value: Any) -> str:
    """Text of a field; lists and mappings give their values in order."""
    if isinstance(value, list):
        return "\n".join(plain_text(one) for one in value)
    if isinstance(value, dict):
        return "\n".join(plain_text(one) for one in value.values())
    return "" if value is None else str(value)


def _rows_of(
    location: str, data: str, files: BenchmarkFiles, name: str, *, several: bool
) -> Iterator[Row]:
    file = location.rsplit("/", 1)[-1].split(".")[0]
    prefix = f"{file}/" if several else ""
    try:
        for number, values in enumerate(_parsed(data, files)):
            where = f"benchmark '{name}': {location}, item {number}"
            if not isinstance(values, dict):
                raise SettingsError(f"{where}: expected fields with names, found {values!r:.60}")
            named = values.get(files.id_field) if files.id_field else None
            item_id = f"{prefix}{number if named is None else named}"
            yield Row(item_id=item_id, file=file, where=where, values=values)
    except (ValueError, csv.Error, ElementTree.ParseError) as error:
        if isinstance(error, SettingsError):
            raise
        raise SettingsError(f"benchmark '{name}': {location}: {error}") from error


def _texts(path: Path, files: BenchmarkFiles, name: str) -> Iterator[tuple[str, str]]:
    """(location, text) of a file, or of each member of an archive that the pattern names."""
    try:
        raw = path.read_bytes()
        if path.suffix == ".zip":
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                names = [n for n in sorted(archive.namelist()) if not n.endswith("/")]
                chosen = [n for n in names if fnmatch.fnmatch(n, files.members)]
                if not chosen:
                    raise SettingsError(
                        f"benchmark '{name}': {path}: no member like '{files.members}', found {names}"
                    )
                for member in chosen:
                    yield f"{path}/{member}", _decoded(archive.read(member))
            return
        yield str(path), _decoded(_decompressed(path, raw))
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise SettingsError(f"benchmark '{name}': {path}: {error}") from error


def _decompressed(path: Path, raw: bytes) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(raw)
    return bz2.decompress(raw) if path.suffix == ".bz2" else raw


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8-sig", errors="replace")


def _parsed(data: str, files: BenchmarkFiles) -> Iterator[Any]:
    if files.format == "jsonl":
        # Not splitlines: a JSON string may hold U+2028, at which that divides too.
        for line in data.split("\n"):
            if line.strip():
                yield json.loads(line)
    elif files.format == "lines":
        assert files.columns is not None, "checked by the settings"
        lines = data.rstrip("\n").split("\n")
        step = len(files.columns)
        if len(lines) % step:
            raise ValueError(f"{len(lines)} lines are no multiple of {step} per item")
        for start in range(0, len(lines), step):
            yield dict(zip(files.columns, lines[start : start + step], strict=True))
    elif files.format == "xml":
        for element in ElementTree.fromstring(data.encode()).iter(files.element):
            children = {child.tag: "".join(child.itertext()).strip() for child in element}
            yield {**element.attrib, **children}
    else:
        # Quotes are text in tab-separated files; SST-2 has lines that open one and never close it.
        yield from csv.DictReader(
            io.StringIO(data),
            fieldnames=files.columns,
            delimiter=_delimiter(data, files),
            quoting=csv.QUOTE_MINIMAL if files.format == "csv" else csv.QUOTE_NONE,
        )


def _delimiter(data: str, files: BenchmarkFiles) -> str:
    """The character between columns: some files of MMLU-Redux have semicolons, the others commas."""
    if files.format == "tsv":
        return "\t"
    header = data.split("\n", 1)[0]
    return ";" if files.columns is None and header.count(";") > header.count(",") else ","


def _listed(value: Any) -> Any:
    """Read a list that a table holds as text, in the notation of JSON or of Python."""
    if not isinstance(value, str) or not (value.startswith("[") and value.endswith("]")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        pass
    try:
        literal = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
    return literal if isinstance(literal, list) else value
