"""Lines of text and JSONL files for commands that need no Spark."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from schemas.errors import SettingsError


def read_texts(files: Sequence[Path], field: str) -> Iterator[str]:
    """The texts of JSONL lines, and text files whole.

    Raises:
        SettingsError: A file that cannot be read, or a line without that field.
    """
    for path in files:
        opener = gzip.open if path.suffix == ".gz" else open
        try:
            with opener(path, "rt", encoding="utf-8") as stream:
                if ".jsonl" not in path.suffixes:
                    yield stream.read()
                    continue
                for number, line in enumerate(stream, 1):
                    yield _field(line, field, f"{path}:{number}")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path}: cannot be read: {error}") from error


def read_lines(files: Sequence[Path], field: str) -> Iterator[str]:
    """Lines that hold more than space."""
    for text in read_texts(files, field):
        yield from (line for line in text.split("\n") if line.strip())


def _field(line: str, field: str, where: str) -> str:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{where}: not JSON: {error}") from error
    value = record.get(field) if isinstance(record, dict) else None
    if not isinstance(value, str):
        raise SettingsError(f"{where}: no text in field '{field}'")
    return value
