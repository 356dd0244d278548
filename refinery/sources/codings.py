"""Undo content codings: lists of them, several members or frames, and names that are not true.

Many archives store bodies already decoded under their old headers, so what does not begin like the
named coding is taken as it is. All results are bounded: a body of a few bytes may unpack to gigabytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli
import zstandard

from refinery.sources.media_types import looks_binary

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SLICE = 1 << 20
_FRAME_SLICE = 1 << 11  # see members.py
_MOST_CODINGS = 4
_HTTP_WINDOW = 1 << 27


class BodyError(ValueError):
    """A body that cannot be decoded by its declared encoding, or is too large."""


class TooLargeError(BodyError):
    """A body that unpacks to more than is allowed."""


def undo_codings(body: bytes, field: str, max_bytes: int) -> bytes:
    """The body without the codings of a Content-Encoding field, undone from the last one.

    Raises:
        BodyError: The body is larger than `max_bytes`, or damaged.
    """
    names = [name.strip(" \t\"'").lower() for name in field.split(",")]
    for name in reversed(names[-_MOST_CODINGS:]):
        if (undo := _UNDO.get(name)) is not None:
            body = undo(body, max_bytes)
    # A server that packs what was packed already names it once; no text begins so.
    for _ in range(_MOST_CODINGS):
        if not body.startswith((GZIP, ZSTD)):
            break
        body = _gunzip(body, max_bytes) if body.startswith(GZIP) else _unzstd(body, max_bytes)
    return body


def _gunzip(body: bytes, max_bytes: int) -> bytes:
    """All members of a gzip body; what stands behind the last one is no part of it."""
    pieces: list[bytes] = []
    left = max_bytes
    while body.startswith(GZIP):
        try:
            piece, body = _inflate(body, 31, left)
        except BodyError as error:
            if pieces and not isinstance(error, TooLargeError):
                break
            raise
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces) if pieces else body


def _inflate(body: bytes, wbits: int, max_bytes: int) -> tuple[bytes, bytes]:
    """One stream, and what follows it; a cut one gives what there is."""
    try:
        inflater = zlib.decompressobj(wbits)
        data = inflater.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise BodyError(f"content encoding: {error}") from error
    if len(data) > max_bytes:
        raise TooLargeError(f"inflates to more than {max_bytes} bytes")
    return data, inflater.unused_data


def _undeflate(body: bytes, max_bytes: int) -> bytes:
    """`deflate` is zlib's form by the standard, and raw deflate by some servers."""
    if len(body) < 2:
        return body
    if body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0:
        return _inflate(body, 15, max_bytes)[0]
    try:
        inflated = _inflate(body, -15, max_bytes)[0]
    except BodyError as error:
        if looks_binary(body) or isinstance(error, TooLargeError):
            raise
        return body
    # Plain text may happen to begin like a block of raw deflate.
    return inflated if looks_binary(body) or not looks_binary(inflated) else body


def _unbrotli(body: bytes, max_bytes: int) -> bytes:
    """Brotli has no magic number: what cannot be decoded and holds no control characters is plain."""
    decoder = brotli.Decompressor()
    pieces, size, rest = list[bytes](), 0, body
    try:
        # A few bytes may become gigabytes, so each call has a bound, and is repeated without input.
        while rest or not decoder.can_accept_more_data():
            given = rest if decoder.can_accept_more_data() else b""
            piece = decoder.process(given, output_buffer_limit=_SLICE)
            rest = b"" if given else rest
            size += len(piece)
            if size > max_bytes:
                raise TooLargeError(f"brotli inflates to more than {max_bytes} bytes")
            pieces.append(piece)
    except brotli.error as error:
        if looks_binary(body) and size == 0:
            raise BodyError(f"content encoding: brotli: {error}") from error
        return b"".join(pieces) if size else body
    return b"".join(pieces)


def _unzstd(body: bytes, max_bytes: int) -> bytes:
    """All frames of a zstandard body."""
    pieces: list[bytes] = []
    size = 0
    while body.startswith(ZSTD):
        frame = zstandard.ZstdDecompressor(max_window_size=_HTTP_WINDOW).decompressobj()
        rest = b""
        try:
            for start in range(0, len(body), _FRAME_SLICE):
                piece = frame.decompress(body[start : start + _FRAME_SLICE])
                size += len(piece)
                if size > max_bytes:
                    raise TooLargeError(f"zstd inflates to more than {max_bytes} bytes")
                pieces.append(piece)
                if frame.eof:
                    rest = frame.unused_data + body[start + _FRAME_SLICE :]
                    break
        except zstandard.ZstdError as error:
            raise BodyError(f"content encoding: {error}") from error
        body = rest
    return b"".join(pieces) if pieces else body


_UNDO: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip, "x-gzip": _gunzip, "deflate": _undeflate, "br": _unbrotli, "zstd": _unzstd,
}  # fmt: skip
