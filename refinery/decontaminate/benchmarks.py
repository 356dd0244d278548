"""Benchmark files to items: JSONL, CSV, TSV, XML and lines; plain, gzip, bzip2 or zip."""

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from refinery.decontaminate.config import BenchmarkConfig, QuestionConfig
from refinery.sources.record import to_valid_text
from schemas.errors import SettingsError
from schemas.settings import closest

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Item:
    """One benchmark item: the texts of the chosen fields, joined by line ends.

    `question`, `choices` and `answer` (number of the right choice) are there where the recipe says
    which fields hold them: evaluation scores these.
    """

    benchmark: str
    item_id: str
    text: str
    question: str | None = None
    choices: tuple[str, ...] = ()
    answer: int | None = None


def _benchmark_files(config: BenchmarkConfig) -> list[Path]:
    """The files of a benchmark, sorted by name.

    Raises:
        SettingsError: Nothing lies at the path.
    """
    path = Path(config.path)
    if path.is_file():
        return [path]
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if {f".{config.format}", ".zip"} & set(p.suffixes))
    else:
        files = sorted(Path(p) for p in glob.glob(config.path))
    if not files:
        raise SettingsError(f"benchmark '{config.name}': no file at {config.path}")
    return files


def content_files(config: BenchmarkConfig) -> list[Path]:
    """All files that the items are a function of: those of the benchmark, and its labels."""
    labels = config.multiple_choice.labels if config.multiple_choice else None
    return [*_benchmark_files(config), *([Path(labels)] if labels else [])]


def read_items(config: BenchmarkConfig) -> list[Item]:
    """All items of a benchmark; ids of several files begin with the file's name.

    Raises:
        SettingsError: A file is missing, unreadable, empty, or has no such field.
    """
    texts = [text for path in _benchmark_files(config) for text in _texts(path, config)]
    labels = _labels(config)
    items: list[Item] = []
    for location, data in texts:
        prefix = f"{location.rsplit('/', 1)[-1].split('.')[0]}/" if len(texts) > 1 else ""
        try:
            rows = list(_rows(data, config))
        except (ValueError, csv.Error, ElementTree.ParseError) as error:
            raise SettingsError(f"benchmark '{config.name}': {location}: {error}") from error
        if not rows:
            raise SettingsError(f"benchmark '{config.name}': {location} holds no item")
        for number, row in enumerate(rows):
            label = labels[len(items)] if labels and len(items) < len(labels) else None
            items.append(_item(row, prefix, f"{location}, item {number}", number, label, config))
    if labels and len(labels) != len(items):
        raise SettingsError(
            f"benchmark '{config.name}': {len(labels)} labels for {len(items)} items"
        )
    return items


def check_benchmark(config: BenchmarkConfig) -> None:
    """See that the files are there and that the first item of each has the fields that are named.

    Raises:
        SettingsError: As `read_items`, for the first item of each file.
    """
    _labels(config)
    for location, data in (
        text for path in _benchmark_files(config) for text in _texts(path, config)
    ):
        try:
            row = next(_rows(data, config), None)
        except (ValueError, csv.Error, ElementTree.ParseError) as error:
            raise SettingsError(f"benchmark '{config.name}': {location}: {error}") from error
        if row is None:
            raise SettingsError(f"benchmark '{config.name}': {location} holds no item")
        _item(row, "", f"{location}, item 0", 0, None, config)


def _texts(path: Path, config: BenchmarkConfig) -> Iterator[tuple[str, str]]:
    """(location, text) of a file, or of each member of an archive that the pattern names."""
    try:
        raw = path.read_bytes()
        if path.suffix == ".zip":
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                names = [n for n in sorted(archive.namelist()) if not n.endswith("/")]
                chosen = [n for n in names if fnmatch.fnmatch(n, config.members)]
                if not chosen:
                    raise SettingsError(
                        f"benchmark '{config.name}': {path}: no member like "
                        f"'{config.members}', found {names}"
                    )
                for name in chosen:
                    yield f"{path}/{name}", _decoded(archive.read(name))
            return
        yield str(path), _decoded(_decompressed(path, raw))
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise SettingsError(f"benchmark '{config.name}': {path}: {error}") from error


def _decompressed(path: Path, raw: bytes) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(raw)
    return bz2.decompress(raw) if path.suffix == ".bz2" else raw


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8-sig", errors="replace")


def _rows(data: str, config: BenchmarkConfig) -> Iterator[dict[str, Any]]:
    if config.format == "jsonl":
        for line in data.split("\n"):
            if line.strip():
                yield json.loads(line)
    elif config.format == "lines":
        assert config.columns is not None, "checked by the settings"
        lines = data.rstrip("\n").split("\n")
        step = len(config.columns)
        if len(lines) % step:
            raise ValueError(f"{len(lines)} lines are no multiple of {step} per item")
        for start in range(0, len(lines), step):
            yield dict(zip(config.columns, lines[start : start + step], strict=True))
    elif config.format == "xml":
        for element in ElementTree.fromstring(data.encode()).iter(config.element):
            children = {child.tag: "".join(child.itertext()).strip() for child in element}
            yield {**element.attrib, **children}
    else:
        # Quotes are text in tab-separated files; SST-2 has lines that open one and never close it.
        yield from csv.DictReader(
            io.StringIO(data),
            fieldnames=config.columns,
            delimiter=_delimiter(data, config),
            quoting=csv.QUOTE_MINIMAL if config.format == "csv" else csv.QUOTE_NONE,
        )


def _delimiter(data: str, config: BenchmarkConfig) -> str:
    """The character between columns: some files of MMLU-Redux have semicolons, the others commas."""
    if config.format == "tsv":
        return "\t"
    header = data.split("\n", 1)[0]
    return ";" if config.columns is None and header.count(";") > header.count(",") else ","


def _item(
    row: dict[str, Any],
    prefix: str,
    location: str,
    number: int,
    label: str | None,
    config: BenchmarkConfig,
) -> Item:
    def value(name: str) -> Any:
        return _field(row, name, f"benchmark '{config.name}': {location}")

    text = to_valid_text("\n".join(_plain(value(name)) for name in config.fields))
    named = row.get(config.id_field) if config.id_field else None
    item_id = f"{prefix}{number if named is None else named}"
    asked = config.multiple_choice
    if asked is None:
        return Item(config.name, item_id, text)
    choices = _choices([value(name) for name in asked.choices])
    given = label if label is not None else value(asked.answer) if asked.answer else None
    return Item(
        config.name,
        item_id,
        text,
        to_valid_text(_plain(value(asked.question))),
        choices,
        _answer(given, choices, asked),
    )


def _choices(values: Sequence[Any]) -> tuple[str, ...]:
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    return tuple(to_valid_text(_plain(value)) for value in values)


def _answer(value: Any, choices: Sequence[str], asked: QuestionConfig) -> int | None:
    """Number of the right choice; `None` where it is withheld or not one of them."""
    text = str(value).strip() if value is not None else ""
    index = -1
    if text.isdigit():
        index = int(text) - asked.first_answer
    elif len(text) == 1 and text.upper() in _LETTERS:
        index = _LETTERS.index(text.upper())
    if 0 <= index < len(choices):
        return index
    return list(choices).index(text) if text in choices else None


def _labels(config: BenchmarkConfig) -> list[str]:
    path = config.multiple_choice.labels if config.multiple_choice else None
    if path is None:
        return []
    try:
        return Path(path).read_text(encoding="utf-8").split()
    except OSError as error:
        raise SettingsError(f"benchmark '{config.name}': {path}: {error}") from error


def _field(row: dict[str, Any], name: str, where: str) -> Any:
    if name in row:
        return _listed(row[name])
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            names = sorted(map(str, row))
            hint = closest(name, names)
            raise SettingsError(f"{where}: no field '{name}', found {names}{hint}")
        value = value[part]
    return value


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


def _plain(value: Any) -> str:
    """Text of a field; lists and mappings give their values in order."""
    if isinstance(value, list):
        return "\n".join(_plain(one) for one in value)
    if isinstance(value, dict):
        return "\n".join(_plain(one) for one in value.values())
    return "" if value is None else str(value)
