"""Decompress an archive member by member, and go on behind a damaged one.

gzip and zstandard archives hold one member (frame) per record, or a few; whatever is damaged costs
its own member, and the next one is searched for by its magic number and by what it begins with.
"""

from __future__ import annotations

import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import BinaryIO

import zstandard

TRUNCATED = "archive:truncated"
BROKEN = "archive:broken"

PIECE_BYTES = 1 << 16
START_BYTES = 256  # enough to tell that a record begins
# zstd has no bound on the output of one call: a block of 128 KiB may take four bytes of input.
_FRAME_PIECE = 1 << 11
_MOST_PLAIN = 1 << 20
# Raw bytes of a member that are kept, to search them for the next member once it proves damaged.
_WINDOW_BYTES = 8 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_STARTS = {"gzip": b"\x1f\x8b\x08", "zstd": _ZSTD}
_SKIPPABLE = b"\x2a\x4d\x18"  # behind a first byte from 0x50 to 0x5f
_DICTIONARY = (
    b"\x5d" + _SKIPPABLE
)  # https://iipc.github.io/warc-specifications/specifications/warc-zstd/
_MOST_DICTIONARY = 16 << 20
_PROBE_BYTES = 4096


class DamageError(Exception):
    """A member that cannot be read on; the reader stands behind it, at the next good member."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Inflater:
    """zlib's decompressor with a bound on the output of one call."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes) -> Iterator[bytes]:
        while data:
            yield self._zlib.decompress(data, _MOST_PLAIN)
            data = self._zlib.unconsumed_tail


class _Unframer:
    """zstandard's decompressor of one frame, fed in small slices."""

    def __init__(self, dictionary: bytes | None) -> None:
        parts = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        self._frame = zstandard.ZstdDecompressor(dict_data=parts).decompressobj()
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return bool(self._frame.eof)

    def decompress(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _FRAME_PIECE):
            yield self._frame.decompress(data[start : start + _FRAME_PIECE])
            if self.eof:
                self.unused_data = self._frame.unused_data + data[start + _FRAME_PIECE :]
                return


class Members:
    """Plain bytes of an archive, with the offset of the member that holds each of them.

    Args:
        stream: The archive; only read forward.
        is_start: Whether plain bytes begin like a record: tells a member from bytes that look so.
    """

    def __init__(self, stream: BinaryIO, is_start: Callable[[bytes], bool]) -> None:
        self._stream, self._is_start = stream, is_start
        self._raw = b""  # read, not yet decompressed
        self._raw_end = 0  # how many bytes of the stream have been read
        self._window = bytearray()  # raw bytes since the member's start
        self._member: _Inflater | _Unframer | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._dictionary: bytes | None = None
        self._cut: DamageError | None = None
        self._buffer = bytearray()
        self.position = 0  # plain bytes handed out
        self._starts: deque[tuple[int, int]] = deque()  # (plain position, raw offset) of members
        self._kind = self._kind_of(self._peek_raw(4))

    @staticmethod
    def _kind_of(head: bytes) -> str:
        if head.startswith(_GZIP):
            return "gzip"
        return "zstd" if head == _ZSTD or head[1:] == _SKIPPABLE else "plain"

    @property
    def is_compressed(self) -> bool:
        return self._kind != "plain"

    @property
    def offset(self) -> int:
        """Where the member of the next plain byte begins in the file; of plain files, that byte."""
        if not self.is_compressed:
            return self.position
        self.peek(1)
        while len(self._starts) > 1 and self._starts[1][0] <= self.position:
            self._starts.popleft()
        return self._starts[0][1] if self._starts else 0

    @property
    def at_member_end(self) -> bool:
        """Whether nothing but line ends is left of a member that was read to its end."""
        return self._member is None and not self._buffer.strip(b"\r\n\0")

    def peek(self, size: int) -> bytes:
        """The next bytes, fewer only at the end; they stay."""
        while len(self._buffer) < size and (piece := self._more()):
            self._buffer += piece
        return bytes(self._buffer[:size])

    def read(self, size: int) -> bytes:
        """The next bytes, fewer only at the end."""
        data = self.peek(size)
        self._advance(len(data))
        return data

    def read_some(self, most: int) -> bytes:
        """The next bytes, as many as are at hand; none only at the end."""
        self.peek(1)
        return self.read(min(most, len(self._buffer)))

    def read_within(self, size: int) -> bytes:
        """The next bytes up to the end of the open member; none where it has ended."""
        if not self.is_compressed:
            return self.read(size)
        while len(self._buffer) < size and self._member is not None:
            self._buffer += self._piece_of_member() or b""
        return self.read(min(size, len(self._buffer)))

    def readline(self, most: int) -> bytes:
        """The next bytes up to a line feed, and no more than `most`."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched, most)) < 0:
            searched = len(self._buffer)
            if searched >= most or not (piece := self._more()):
                return self.read(min(most, len(self._buffer)))
            self._buffer += piece
        return self.read(end + 1)

    def push_back(self, data: bytes) -> None:
        """Put bytes in front of the next ones, because they belong to what follows."""
        self._buffer[:0] = data
        self.position -= len(data)

    def discard(self) -> None:
        """Drop the bytes that a damaged member left behind."""
        self._advance(len(self._buffer))

    def find_record(self, next_record: re.Pattern[bytes], *, most: int | None = None) -> int:
        """Go to the next record, or to the end; how many bytes were passed over.

        Args:
            next_record: A line end and, as its first group, what begins a record behind it.
            most: The search ends behind so many bytes.
        """
        passed, tail = 0, b"\n"
        while most is None or passed < most:
            size = PIECE_BYTES if most is None else min(PIECE_BYTES, most - passed)
            data = self.read_within(size)
            if not data:
                if not (head := self.peek(START_BYTES)) or self._is_start(head):
                    return passed
                tail = b"\n"
                continue
            found = next_record.search(tail + data + self.peek(START_BYTES))
            if found and found.start(1) < len(tail) + len(data):
                self.push_back((tail + data)[found.start(1) :])
                return passed + found.start(1) - len(tail)
            passed += len(data)
            tail = data[-START_BYTES:]
        return passed

    def finish_member(self) -> None:
        """Read on to the end of the current member if nothing but line ends is left in it.

        A member that lacks its end is no fault of what it holds; `take_cut` tells of it.

        Raises:
            DamageError: The member's check sum is wrong.
        """
        try:
            while self._member is not None and not self._buffer.strip(b"\r\n\0"):
                self._buffer += self._piece_of_member() or b""
        except DamageError as error:
            if error.reason != TRUNCATED:
                raise
            self._cut = error

    def take_cut(self) -> DamageError | None:
        """What `finish_member` found missing since the last call."""
        cut, self._cut = self._cut, None
        return cut

    def _advance(self, size: int) -> None:
        del self._buffer[:size]
        self.position += size

    def _more(self) -> bytes:
        """The next plain bytes, empty at the end of the file."""
        if not self.is_compressed:
            piece, self._raw = self._raw or self._read_raw(), b""
            return piece
        while self._member is not None or self._open_member():
            piece_of_member = self._piece_of_member()
            if piece_of_member:
                return piece_of_member
        return b""

    def _piece_of_member(self) -> bytes | None:
        """Plain bytes of the open member, None at its end.

        Raises:
            DamageError: The member is damaged or cut.
        """
        member = self._member
        assert member is not None
        try:
            for piece in self._pieces:
                if piece:
                    return piece
            if member.eof:
                self._raw = member.unused_data + self._raw
                self._member = None
                return None
            data, self._raw = self._raw or self._read_raw(), b""
            if not data:
                self._member = None
                raise DamageError(TRUNCATED, f"{self._kind} member cut short")
            if len(self._window) < _WINDOW_BYTES:
                self._window += data
            self._pieces = iter(member.decompress(data))
        except (zlib.error, zstandard.ZstdError) as error:
            self._find_next_member()
            raise DamageError(BROKEN, f"{self._kind} member: {error}") from error
        return b""

    def _open_member(self) -> bool:
        """Begin the next member; False at the end of the file. Zeros that fill a block are passed over."""
        while (head := self._peek_raw(4)) and not head.strip(b"\0"):
            self._raw = self._raw.lstrip(b"\0")
        if not head:
            return False
        if self._kind == "zstd" and head[1:] == _SKIPPABLE:
            self._skip_frame(head)
            return self._open_member()
        start = self._raw_end - len(self._raw)
        if not head.startswith(_STARTS[self._kind][: len(head)]):
            self._window = bytearray()
            self._find_next_member()
            raise DamageError(BROKEN, f"no {self._kind} member at byte {start}: {head!r}")
        self._member = _Inflater() if self._kind == "gzip" else _Unframer(self._dictionary)
        self._pieces = iter(())
        self._window = bytearray()
        self._starts.append((self.position + len(self._buffer), start))
        return True

    def _skip_frame(self, head: bytes) -> None:
        """Pass over a skippable frame; the first one may be the dictionary of all others."""
        size = int.from_bytes(self._peek_raw(8)[4:8], "little")
        self._raw = self._raw[8:]
        content = bytearray()
        while len(self._raw) < size and (piece := self._read_raw()):
            if head == _DICTIONARY and size <= _MOST_DICTIONARY:
                content += self._raw
            size -= len(self._raw)
            self._raw = piece
        content += self._raw[:size]
        self._raw = self._raw[size:]
        if head == _DICTIONARY and not self._starts:
            packed = bytes(content)
            if packed.startswith(_ZSTD):
                frame = zstandard.ZstdDecompressor().stream_reader(packed)
                packed = frame.read(_MOST_DICTIONARY)
            self._dictionary = packed

    def _find_next_member(self) -> None:
        """Stand at the next member that begins like a record, or at the end of the file."""
        self._member, self._pieces = None, iter(())
        mark = _STARTS[self._kind]
        rest = bytes(self._window) + self._raw
        found = rest.find(mark, 1)
        while True:
            while found >= 0:
                while len(rest) - found < _PROBE_BYTES and (piece := self._read_raw()):
                    rest += piece
                if self._begins(rest[found : found + _PROBE_BYTES]):
                    self._raw, self._window = rest[found:], bytearray()
                    return
                found = rest.find(mark, found + 1)
            if not (piece := self._read_raw()):
                self._raw, self._window = b"", bytearray()
                return
            rest = rest[1 - len(mark) :] + piece
            found = rest.find(mark)

    def _begins(self, data: bytes) -> bool:
        """Whether a member that begins a record begins here."""
        member = _Inflater() if self._kind == "gzip" else _Unframer(self._dictionary)
        plain = b""
        try:
            for piece in member.decompress(data):
                plain += piece
                if len(plain) >= _PROBE_BYTES:
                    break
        except (zlib.error, zstandard.ZstdError):
            pass
        return self._is_start(plain.lstrip())

    def _peek_raw(self, size: int) -> bytes:
        while len(self._raw) < size and (piece := self._read_raw()):
            self._raw += piece
        return self._raw[:size]

    def _read_raw(self) -> bytes:
        data = self._stream.read(PIECE_BYTES)
        self._raw_end += len(data)
        return data
