"""Read HTML, text and zip files, one document per file or member; open compressed files."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import zstandard
from fastwarc.stream_io import Lz4Reader

from refinery.sources.forms import form_of, peeked
from refinery.sources.members import DamageError, Members
from refinery.sources.record import Broken, Fetch, NoDocument, Outcome, short_message

DECODE_ERRORS = (OSError, EOFError, zlib.error, zstandard.ZstdError, lzma.LZMAError)
COMPRESSED_ENDINGS = (".gz", ".zst", ".lz4", ".bz2", ".xz")
EMPTY_FILE = "empty_file"
_MOST_XZ_MEMORY, _XZ_PIECE = 256 << 20, 1 << 16
MEMBER_ENDINGS = (".html", ".htm", ".xhtml", ".txt", ".md")


def open_compressed(stream: BinaryIO) -> BinaryIO:
    """A stream of decompressed bytes; the first bytes tell the compression, whatever the name says."""
    stream, head = peeked(stream)
    match form_of(head):
        case "gzip":
            return io.BufferedReader(gzip.GzipFile(fileobj=stream))
        case "zstd":
            return io.BufferedReader(_Frames(stream))
        case "lz4":
            return io.BufferedReader(_Lz4Reader(stream))
        case "bzip2":
            return io.BufferedReader(bz2.BZ2File(stream))
        case "xz":
            return io.BufferedReader(_Xz(stream))
    return stream


def plain_name(name: str) -> str:
    """A name in lower case, without the endings of compression."""
    plain = name.lower()
    for ending in COMPRESSED_ENDINGS:
        plain = plain.removesuffix(ending)
    return plain


class _Frames(io.RawIOBase):
    """All zstandard frames of a file; a cut one is an error, which the library's own reader hides."""

    def __init__(self, stream: BinaryIO) -> None:
        self._members = Members(stream, lambda data: True)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._members.read_some(len(buffer))
        except DamageError as error:
            raise EOFError(str(error)) from error
        buffer[: len(piece)] = piece
        return len(piece)


class _Xz(io.RawIOBase):
    """All streams of an xz file, with a bound on the memory that its dictionary may ask for."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._raw = stream, b""
        self._xz = lzma.LZMADecompressor(memlimit=_MOST_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._xz.eof:
                self._raw = self._xz.unused_data.lstrip(b"\0") or self._stream.read(_XZ_PIECE)
                if not self._raw:
                    return 0
                self._xz = lzma.LZMADecompressor(memlimit=_MOST_XZ_MEMORY)
            elif self._xz.needs_input and not self._raw:
                self._raw = self._stream.read(_XZ_PIECE)
                if not self._raw:
                    raise EOFError("xz stream cut short")
            piece = self._xz.decompress(self._raw, len(buffer))
            self._raw = b""
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)


class _Lz4Reader(io.RawIOBase):
    """LZ4 frames as FastWARC reads them, in the form of a Python stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._frames = Lz4Reader(stream)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._frames.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def read_whole(
    stream: BinaryIO, *, mime: str, url: str | None, max_bytes: int, charset: str | None = None
) -> Iterator[Outcome]:
    """Read a file as one document; an empty one is none."""
    try:
        payload = stream.read(max_bytes + 1)
    except DECODE_ERRORS as error:
        yield Broken(offset=0, reason="archive:broken", message=short_message(error))
        return
    if len(payload) > max_bytes:
        yield Broken(offset=0, reason="document:too_large", message=f"more than {max_bytes} bytes")
        return
    if not payload:
        yield NoDocument(type=EMPTY_FILE)
        return
    yield Fetch(payload=payload, offset=0, mime=mime, url=url, charset=charset)


def read_zip(
    stream: BinaryIO,
    *,
    mime: str,
    url_prefix: str | None,
    max_bytes: int,
    charset: str | None = None,
) -> Iterator[Outcome]:
    """Read each member with the ending of a page or text as a document; `offset` is its number."""
    try:
        archive = zipfile.ZipFile(stream)
    except zipfile.BadZipFile as error:
        yield Broken(offset=0, reason="archive:broken", message=short_message(error))
        return
    with archive:
        for number, member in enumerate(archive.infolist()):
            if member.is_dir():
                continue
            if not member.filename.lower().endswith(MEMBER_ENDINGS):
                yield NoDocument(type="not_html")
                continue
            url = f"{url_prefix}{member.filename}" if url_prefix is not None else None
            page = Fetch(payload=b"", offset=number, mime=mime, url=url, charset=charset)
            yield _read_member(archive, member, page, max_bytes)


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, page: Fetch, max_bytes: int
) -> Outcome:
    try:
        with archive.open(member) as file:
            payload = file.read(max_bytes + 1)
    except (*DECODE_ERRORS, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        message = short_message(f"{member.filename}: {error}")
        return Broken(offset=page.offset, reason="archive:broken", message=message, url=page.url)
    if len(payload) > max_bytes:
        message = short_message(f"{member.filename}: more than {max_bytes} bytes")
        return Broken(
            offset=page.offset, reason="document:too_large", message=message, url=page.url
        )
    return replace(page, payload=payload)
