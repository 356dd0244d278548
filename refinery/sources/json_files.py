"""Read JSON files: a document from each line, or from each value of an array or of a sequence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from refinery.sources.config import FieldMapping
from refinery.sources.files import DECODE_ERRORS
from refinery.sources.members import BROKEN
from refinery.sources.record import Broken, Outcome, short_message
from refinery.sources.rows import NO_TEXT, row_outcome
from refinery.sources.text_lines import (
    Line,
    decoded_lines,
    decoded_pieces,
    first_line,
    plain_stream,
)

BROKEN_JSON, TOO_LARGE = "json:broken", "document:too_large"
_BLANK = " \t\r\n"
_DECODER = json.JSONDecoder()


def read_jsonl(
    stream: BinaryIO, *, fields: FieldMapping, max_bytes: int, charset: str | None = None
) -> Iterator[Outcome]:
    """Read a document from each line; a bad line is one reject, a broken archive ends the file.

    A file that begins with a bracket is an array, one whose first line opens an object and does not
    close it is a sequence of objects over several lines.
    """
    number = 0
    try:
        plain, encoding = plain_stream(stream, charset)
        rows: Iterator[_Row | None] = (
            _values(decoded_pieces(plain, encoding), 2 * max_bytes)
            if _is_sequence(first_line(plain).decode("utf-8", "replace"))
            else map(_line_value, decoded_lines(plain, encoding, most=2 * max_bytes))
        )
        for number, row in enumerate(rows):
            if row is None:
                continue
            value, fault, note = row
            if fault is not None:
                yield Broken(offset=number, reason=fault[0], message=short_message(fault[1]))
            elif not isinstance(value, dict):
                message = f"no text field '{fields.text}', found {type(value).__name__}"
                yield Broken(offset=number, reason=NO_TEXT, message=message)
            else:
                yield row_outcome(value, number, fields, max_bytes, note=note)
    except DECODE_ERRORS as error:
        yield Broken(offset=number, reason=BROKEN, message=short_message(error))


_Row = tuple[Any, tuple[str, str] | None, dict[str, str]]


def _line_value(line: Line) -> _Row | None:
    """The value of a line; None where it is blank."""
    if not line.text.strip(_BLANK):
        return None
    if line.fault is not None:
        return None, line.fault, {}
    try:
        return json.loads(line.text), None, line.note
    except (ValueError, RecursionError) as error:
        return None, (BROKEN_JSON, str(error)), {}


def _is_sequence(line: str) -> bool:
    """Whether the first line begins an array, or an object that it does not end."""
    text = line.strip(_BLANK)
    if text == "{":
        return True
    if not text.startswith("["):
        return False
    try:
        return all(isinstance(item, dict) for item in json.loads(text))
    except RecursionError:
        return False
    except ValueError:
        return True


def _values(pieces: Iterator[str], most: int) -> Iterator[_Row]:
    """Values of an array or a sequence, as they become whole; bounded by `most` characters each."""
    text, at, wanted = "", 0, 1
    is_over = False
    while True:
        at = _behind_marks(text, at)
        if at < len(text) and (len(text) - at >= wanted or is_over):
            try:
                value, at = _DECODER.raw_decode(text, at)
                wanted = 1
                yield value, None, {}
                continue
            except (ValueError, RecursionError) as error:
                is_long = len(text) - at > most
                if is_over or is_long or _is_wrong(error, text):
                    told = f"a value of more than {most} characters" if is_long else str(error)
                    yield None, (TOO_LARGE if is_long else BROKEN_JSON, told), {}
                    text, at, wanted = *_skipped(pieces, text, at), 1
                    continue
                wanted = 2 * (len(text) - at)  # it goes on: look again at twice its length
        if is_over:
            return
        text, at = text[at:] + _taken(pieces, wanted - (len(text) - at)), 0
        is_over = len(text) < wanted


def _skipped(pieces: Iterator[str], text: str, at: int) -> tuple[str, int]:
    """The text and the offset in it of the next object behind a value that cannot be read."""
    at = _next_object(text, at)
    while at == len(text) and (piece := next(pieces, None)) is not None:
        text = text[-1:] + piece
        at = _next_object(text, 0)
    return text, at


def _taken(pieces: Iterator[str], size: int) -> str:
    """Text of at least so many characters; less of it says that there is no more."""
    taken: list[str] = []
    while size > 0 and (piece := next(pieces, None)) is not None:
        taken.append(piece)
        size -= len(piece)
    return "".join(taken)


def _is_wrong(error: Exception, text: str) -> bool:
    """Whether a value is wrong before its end, so that more text would not mend it."""
    if isinstance(error, RecursionError):
        return True
    fault = getattr(error, "pos", len(text))
    unfinished = "Unterminated string" in str(error)
    return not unfinished and bool(text[fault:].strip(_BLANK)) and len(text) - fault > 16


def _next_object(text: str, at: int) -> int:
    """Behind the next line end that an object follows; the end of the text where there is none."""
    start = text.find("\n", at)
    while start >= 0:
        behind = _behind_marks(text, start)
        if behind < len(text) and text[behind] == "{":
            return behind
        start = text.find("\n", start + 1)
    return len(text)


def _behind_marks(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,[]\ufeff":
        at += 1
    return at
