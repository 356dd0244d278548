"""Lines of text and JSONL files for commands that need no Spark."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from refinery.sources.record import to_valid_text
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


def text_of(line: str, field: str) -> str:
    """The text of a JSONL line.

    Raises:
        ValueError: Broken JSON, or no text in that field; says what was found.
    """
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(record, dict):
        raise ValueError(f"expected an object with field '{field}', found {type(record).__name__}")
    value = record.get(field)
    if isinstance(value, str):
        return to_valid_text(value)
    if field in record:
        raise ValueError(f"no text in field '{field}', found {type(value).__name__}")
    names = ", ".join(list(record)[:10]) or "none"
    raise ValueError(f"no field '{field}', found {names}")


def _field(line: str, field: str, where: str) -> str:
    try:
        return text_of(line, field)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from error
