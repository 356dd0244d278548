"""Lines of a file of any charset: each decoded by itself, so that one bad byte costs at most its line."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from refinery.sources.responses import NOTE
from refinery.text.charset import Decoded, decode, encoding_of_label
from refinery.text.web_codecs import is_stateful

UNDECODABLE = "text:undecodable"
SAMPLE_BYTES = 1 << 18
_PIECE_CHARS = 1 << 16
_MOST_REPLACED = 0.01  # of the characters that are not ASCII, more of them and the line is refused
_FEWEST_TOLERATED = 2
_ESCAPES = re.compile(rb"\0|\x1b|~\{")


@dataclass(frozen=True)
class Line:
    """A line of text; `note` says what was replaced in it, `fault` (reason, message) why it cannot serve."""

    text: str
    number: int
    note: dict[str, str] = field(default_factory=dict)
    fault: tuple[str, str] | None = None


def charset_of_file(head: bytes, charset: str | None) -> str | None:
    """The codec of a file by its label or its first bytes; None where those are ASCII."""
    named = encoding_of_label(charset)
    if named is not None:
        return named
    if head.isascii() and not _ESCAPES.search(head):
        return None
    # A sample may end inside of a character.
    # UTF-8 with a bad byte stays UTF-8.
    whole = head if b"\0" in head else head[: head.rfind(b"\n") + 1] or head
    text = decode(whole, "utf-8", is_html=False)
    return text.encoding


def plain_stream(stream: BinaryIO, charset: str | None) -> tuple[BinaryIO, str | None]:
    """A stream whose line ends and quotes are ASCII bytes, and the codec of its texts.

    UTF-16 and UTF-32 become UTF-8; all other charsets of files have ASCII's bytes for those.
    """
    buffered = _buffered(stream)
    head = buffered.peek(SAMPLE_BYTES)[:SAMPLE_BYTES]
    encoding = charset_of_file(head, charset)
    if encoding is not None and is_stateful(encoding):
        marked = encoding.removesuffix("-le").removesuffix("-be") if _has_mark(head) else encoding
        text = io.TextIOWrapper(buffered, encoding=marked, errors="replace", newline="")
        return cast("BinaryIO", _buffered(_Recoded(text))), "utf-8"
    if head.startswith(codecs.BOM_UTF8):
        buffered.read(len(codecs.BOM_UTF8))
    return cast("BinaryIO", buffered), encoding


def first_line(stream: BinaryIO) -> bytes:
    """The first line of a plain stream that is not blank, or its beginning; it stays in the stream."""
    head: bytes = stream.peek(SAMPLE_BYTES)  # type: ignore[attr-defined]
    return head.lstrip().split(b"\n", 1)[0]


def decoded_lines(plain: BinaryIO, encoding: str | None, *, most: int) -> Iterator[Line]:
    """Lines of a plain stream, of at most `most` bytes, each as text."""
    number = 0
    while line := plain.readline(most):
        yield decode_line(line, number, encoding)
        number += 1


def decoded_pieces(plain: BinaryIO, encoding: str | None) -> Iterator[str]:
    """The text of a plain stream, piece by piece; what cannot be decoded is replaced."""
    text = io.TextIOWrapper(plain, encoding=encoding or "utf-8", errors="replace", newline="")
    while piece := text.read(_PIECE_CHARS):
        yield piece


def decode_line(line: bytes, number: int, encoding: str | None) -> Line:
    """A line as text: UTF-8 where its bytes are, else the file's charset, else by detection.

    In a file of UTF-8 a few bad bytes are no other charset.
    """
    try:
        return Line(line.decode("utf-8"), number)
    except UnicodeDecodeError as error:
        where = f"byte {error.start} of the line is not"
    decoded = decode(line, encoding or "utf-8", is_html=False)
    if encoding == "utf-8":
        text = line.decode("utf-8", "replace")
        if (bad := text.count("\ufffd")) <= _tolerated(text):
            decoded = Decoded(text, encoding, bad)
    bad = decoded.num_replaced
    if not bad:
        return Line(decoded.text, number)
    if bad > _tolerated(decoded.text):
        fault = f"{where} {decoded.encoding}; {bad} characters are bad"
        return Line(decoded.text, number, fault=(UNDECODABLE, fault))
    note = f"{where} {decoded.encoding}; {bad} characters became U+FFFD"
    return Line(decoded.text, number, note={NOTE: note})


def _tolerated(text: str) -> float:
    """How many bad characters are replaced; with more of them a line is refused."""
    return max(_FEWEST_TOLERATED, _MOST_REPLACED * sum(char > "\x7f" for char in text))


def _has_mark(head: bytes) -> bool:
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
    return head.startswith(marks)


def _buffered(stream: BinaryIO | _Recoded) -> io.BufferedReader:
    return io.BufferedReader(_Raw(stream), SAMPLE_BYTES)


class _Recoded:
    """Text as UTF-8 bytes, piece by piece."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def read(self, size: int) -> bytes:
        # A character takes at most four bytes.
        return self._text.read(max(1, size // 4)).encode("utf-8", "replace")


class _Raw(io.RawIOBase):
    """A stream that only reads, in the form that a buffer takes."""

    def __init__(self, stream: BinaryIO | _Recoded) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
