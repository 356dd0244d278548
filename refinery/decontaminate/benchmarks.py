"""Benchmark files to items: JSONL, CSV and TSV, plain or compressed by gzip or bzip2."""

from __future__ import annotations

import bz2
import csv
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


def read_items(config: BenchmarkConfig) -> list[Item]:
    """All items of a benchmark.

    Raises:
        SettingsError: The file is missing, unreadable, empty, or has no such field.
    """
    path = Path(config.path)
    try:
        data = _decompressed(path)
        rows = list(_rows(data, config))
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise SettingsError(f"benchmark '{config.name}': {path}: {error}") from error
    if not rows:
        raise SettingsError(f"benchmark '{config.name}': {path} holds no item")
    items = []
    for number, row in enumerate(rows):
        missing = [field for field in config.fields if field not in row]
        if missing:
            raise SettingsError(
                f"benchmark '{config.name}': {path}, item {number}: no field {missing}, "
                f"found {sorted(map(str, row))}"
            )
        item_id = str(row.get(config.id_field, number)) if config.id_field else str(number)
        text = "\n".join(_plain(row[field]) for field in config.fields)
        items.append(Item(config.name, item_id, to_valid_text(text)))
    return items


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
