"""Hash and count the bytes of a file while a reader takes them: each byte is read once."""

from __future__ import annotations

import hashlib
import io
import tempfile
from typing import Any, BinaryIO, cast

PIECE_BYTES = 1 << 20
_MOST_IN_MEMORY = 64 << 20


class HashedStream(io.RawIOBase):
    """Passes a stream on, from its beginning to its end, and hashes what passes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._sha256 = stream, hashlib.sha256()
        self.num_bytes = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.num_bytes

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._sha256.update(data)
        self.num_bytes += len(data)
        return len(data)

    def finish(self) -> str:
        """Read what the reader left, and give the SHA-256 of the whole."""
        while self.read(PIECE_BYTES):
            pass
        return self._sha256.hexdigest()

    def buffered(self) -> BinaryIO:
        """This stream for readers that take small pieces."""
        return io.BufferedReader(self, PIECE_BYTES)

    def spooled(self) -> BinaryIO:
        """All bytes as a stream that seeks: in memory where they are few, else on scratch disk.

        Parquet and zip readers jump; a store would be asked twice for the bytes, once to hash them.
        """
        spool = tempfile.SpooledTemporaryFile(max_size=_MOST_IN_MEMORY)  # noqa: SIM115 (the caller's)
        while piece := self.read(PIECE_BYTES):
            spool.write(piece)
        spool.seek(0)
        return cast("BinaryIO", spool)
