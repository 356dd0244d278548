"""Tell what form a file has by its first bytes, where that is not the form that a recipe declares."""

from __future__ import annotations

import io
from typing import BinaryIO

_MAGIC = (
    (b"PAR1", "parquet"), (b"ORC", "orc"), (b"Obj\x01", "avro"), (b"WARC/", "warc"),
    (b"filedesc://", "arc"), (b"ARROW1", "arrow"), (b"SQLite format 3\0", "sqlite"),
    (b"%PDF-", "pdf"), (b"PK\x03\x04", "zip"), (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"),
    *((b"BZh%d1AY&SY" % level, "bzip2") for level in range(1, 10)),
    *((bytes([first]) + b"\x2a\x4d\x18", "zstd") for first in range(0x50, 0x60)),
    (b"\xfd7zXZ\0", "xz"), (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x7fELF", "elf"), (b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
)  # fmt: skip
_COMPRESSED = {"gzip", "zstd", "bzip2", "xz", "lz4"}
# What a declared format may look like.
_FITTING = {
    "parquet": {"parquet"},
    "warc": {"warc", "arc"} | _COMPRESSED,
    "jsonl": _COMPRESSED,
    "csv": _COMPRESSED,
    "html": {"zip"} | _COMPRESSED,
    "text": {"zip"} | _COMPRESSED,
}
_HEAD_BYTES = 64
# Texts may begin with any letters, so a magic number of letters alone needs a byte that no text has.
_LETTERS = {"orc", "arrow"}


def form_of(head: bytes) -> str | None:
    """The form that first bytes have; None where they say nothing."""
    for magic, form in _MAGIC:
        if head.startswith(magic) and (form not in _LETTERS or _is_binary(head)):
            return form
    return None


def _is_binary(head: bytes) -> bool:
    return any(byte < 9 or 14 <= byte < 27 for byte in head)


def other_form(head: bytes, declared: str) -> str | None:
    """The form of a file, where it is known and the reader of the declared format cannot take it."""
    form = form_of(head)
    if form is not None:
        return None if form in _FITTING[declared] else form
    if declared == "parquet":
        return "json" if head.lstrip()[:1] in (b"{", b"[") else "no parquet"
    return None


def peeked(stream: BinaryIO) -> tuple[BinaryIO, bytes]:
    """A stream and its first bytes, which stay in it."""
    if isinstance(stream, io.BufferedReader):
        return stream, stream.peek(_HEAD_BYTES)[:_HEAD_BYTES]
    if stream.seekable():
        start = stream.tell()
        head = stream.read(_HEAD_BYTES)
        stream.seek(start)
        return stream, head
    buffered = io.BufferedReader(stream)  # type: ignore[type-var]
    return buffered, buffered.peek(_HEAD_BYTES)[:_HEAD_BYTES]
