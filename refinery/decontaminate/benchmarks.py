"""Benchmark files to items: JSONL, CSV and TSV, plain or compressed by gzip or bzip2."""

from __future__ import annotations

import bz2
import csv
import glob
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refinery.decontaminate.config import BenchmarkConfig
from refinery.sources.record import to_valid_text
from schemas.errors import SettingsError


@dataclass(frozen=True)
class Item:
    """One benchmark item: the texts of the chosen fields, joined by line ends."""

    benchmark: str
    item_id: str
    text: str


def benchmark_files(config: BenchmarkConfig) -> list[Path]:
    """The files of a benchmark, sorted by name.

    Raises:
        SettingsError: There is none.
    """
    path = Path(config.path)
    if path.is_file():
        return [path]
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if f".{config.format}" in p.suffixes)
    else:
        files = sorted(Path(p) for p in glob.glob(config.path))
    if not files:
        raise SettingsError(f"benchmark '{config.name}': no file at {config.path}")
    return files


def read_items(config: BenchmarkConfig) -> list[Item]:
    """All items of a benchmark; ids of several files begin with the file's name.

    Raises:
        SettingsError: A file is missing, unreadable, empty, or has no such field.
    """
    files = benchmark_files(config)
    items = []
    for path in files:
        prefix = f"{path.name.split('.')[0]}/" if len(files) > 1 else ""
        items += _read_file(path, prefix, config)
    return items


def _read_file(path: Path, prefix: str, config: BenchmarkConfig) -> list[Item]:
    try:
        rows = list(_rows(_decompressed(path), config))
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise SettingsError(f"benchmark '{config.name}': {path}: {error}") from error
    if not rows:
        raise SettingsError(f"benchmark '{config.name}': {path} holds no item")
    items = []
    for number, row in enumerate(rows):
        text = "\n".join(_plain(_field(row, f, path, number, config)) for f in config.fields)
        named = row.get(config.id_field) if config.id_field else None
        item_id = f"{prefix}{number if named is None else named}"
        items.append(Item(config.name, item_id, to_valid_text(text)))
    return items


def _field(row: dict[str, Any], name: str, path: Path, number: int, config: BenchmarkConfig) -> Any:
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise SettingsError(
                f"benchmark '{config.name}': {path}, item {number}: no field '{name}', "
                f"found {sorted(map(str, row))}"
            )
        value = value[part]
    return value


def _decompressed(path: Path) -> str:
    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    elif path.suffix == ".bz2":
        raw = bz2.decompress(raw)
    return raw.decode("utf-8-sig", errors="replace")


def _rows(data: str, config: BenchmarkConfig) -> Iterator[dict[str, Any]]:
    if config.format == "jsonl":
        for line in data.split("\n"):
            if line.strip():
                yield json.loads(line)
        return
    delimiter = "," if config.format == "csv" else "\t"
    yield from csv.DictReader(io.StringIO(data), delimiter=delimiter)


def _plain(value: Any) -> str:
    """Text of a field; lists and mappings give their values in order."""
    if isinstance(value, list):
        return "\n".join(_plain(one) for one in value)
    if isinstance(value, dict):
        return "\n".join(_plain(one) for one in value.values())
    return "" if value is None else str(value)
