"""Read CSV and TSV files: a document from each row below the header line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from refinery.sources.config import FieldMapping
from refinery.sources.files import DECODE_ERRORS
from refinery.sources.members import BROKEN
from refinery.sources.record import Broken, Outcome, short_message
from refinery.sources.rows import row_outcome
from refinery.sources.text_lines import decode_line, first_line, plain_stream

# Cells are divided as Latin-1, which gives every byte back: delimiters, quotes and line ends are the
# same bytes in all charsets of files, and each row is decoded by itself.
_BYTES = "latin-1"
CELLS = "row:cells"
# Between cells that are decoded together; a NUL, which no cell has, would look like UTF-16.
_SEPARATORS = "\n\v\f\x1e\0"


def read_csv(
    stream: BinaryIO,
    *,
    delimiter: str,
    fields: FieldMapping,
    max_bytes: int,
    charset: str | None = None,
) -> Iterator[Outcome]:
    """Read a document from each row below the header line; a row that no charset fits is a reject."""
    # The limit holds for the whole process: it is raised, and never lowered under another reader's feet.
    csv.field_size_limit(max(csv.field_size_limit(), 2 * max_bytes))
    number = 0
    try:
        plain, encoding = plain_stream(stream, charset)
        delimiter = delimiter_of(first_line(plain).decode(_BYTES), delimiter)
        text = io.TextIOWrapper(plain, encoding=_BYTES, newline="")
        # Without a bound, a few bytes of gzip would become one line of gigabytes.
        lines = iter(lambda: text.readline(4 * max_bytes), "")
        rows = csv.reader((line.replace("\0", "") for line in lines), delimiter=delimiter)
        first = next((cells for cells in rows if cells), [])
        header = [name.strip() for name in _decoded(first, 0, encoding)[0]]
        for cells in rows:
            if not cells:
                continue
            values, fault, note = _decoded(cells, number, encoding)
            if fault is None and any(values[len(header) :]):
                # A delimiter or quote inside of a text that is not quoted: its rest stands elsewhere.
                fault = (CELLS, f"{len(values)} cells below a header of {len(header)}")
            if fault is not None:
                yield Broken(offset=number, reason=fault[0], message=short_message(fault[1]))
            else:
                row = dict(zip(header, values, strict=False))
                yield row_outcome(dict(row), number, fields, max_bytes, note=note)
            number += 1
    except (*DECODE_ERRORS, csv.Error) as error:
        yield Broken(offset=number, reason=BROKEN, message=short_message(error))


def delimiter_of(header: str, usual: str) -> str:
    """What divides a header line: the usual sign where it is in it, else that of other programs."""
    return next((sign for sign in (usual, ";", "\t", "|", ",") if sign in header), usual)


def _decoded(
    cells: list[str], number: int, encoding: str | None
) -> tuple[list[str], tuple[str, str] | None, dict[str, str]]:
    """Cells as text, decoded together: one row has one charset."""
    separator = next(sign for sign in _SEPARATORS if not any(sign in cell for cell in cells))
    joined = separator.join(cells)
    if joined.isascii():
        return cells, None, {}
    line = decode_line(joined.encode(_BYTES), number, encoding)
    return line.text.split(separator), line.fault, line.note
