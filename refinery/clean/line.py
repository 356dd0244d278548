"""The line between a guard and its child: a pipe, and beside it memory that both see.

Pages are copied into that memory; through the pipe goes only where they lie. A socket takes a page in
pieces, copies it twice, and wakes the other process for each piece.
"""

from __future__ import annotations

import io
import mmap
import pickle
import select
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

# The documents of one message that have no room there go through the pipe.
SHARED_BYTES = 16 << 20
# Less is copied faster than looked up.
_LEAST_SHARED = 4_096


class Line:
    """One end of the line: documents go one way, answers the other.

    A child that is forked sees the memory of its parent; one that is started has the pipe alone.
    """

    def __init__(self, pipe: Connection, shared: mmap.mmap | None = None) -> None:
        self._pipe = pipe
        self._shared = shared
        self._poll = select.poll()
        self._poll.register(pipe.fileno(), select.POLLIN)

    def fileno(self) -> int:
        return self._pipe.fileno()

    def send_documents(self, documents: Sequence[Any]) -> None:
        """Hand documents over; those before must have been answered, as their memory is used anew."""
        if self._shared is None:
            self._pipe.send(documents)
            return
        written = io.BytesIO()
        _Pickler(written, self._shared).dump(documents)
        self._pipe.send_bytes(written.getbuffer())

    def receive_documents(self) -> Sequence[Any]:
        """The next documents.

        Raises:
            EOFError: The other end is gone.
        """
        if self._shared is None:
            received = self._pipe.recv()
        else:
            received = _Unpickler(io.BytesIO(self._pipe.recv_bytes()), self._shared).load()
        documents: Sequence[Any] = received
        return documents

    def send(self, answer: object) -> None:
        self._pipe.send(answer)

    def receive(self) -> Any:
        return self._pipe.recv()

    def has_answer(self, seconds: float) -> bool:
        """Whether an answer comes within this time, or the other end goes."""
        return bool(self._poll.poll(seconds * 1_000))

    def close(self) -> None:
        self._pipe.close()
        if self._shared is not None:
            self._shared.close()


def shared_memory() -> mmap.mmap:
    """Memory that a fork of this process sees, too; it takes what is written to it, no more."""
    return mmap.mmap(-1, SHARED_BYTES)


class _Pickler(pickle.Pickler):
    """Puts long bytes into shared memory, one behind another."""

    def __init__(self, file: io.BytesIO, shared: mmap.mmap) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._shared = shared
        self._end = 0

    def persistent_id(self, value: Any) -> tuple[int, int] | None:
        if type(value) is not bytes or len(value) < _LEAST_SHARED:
            return None
        start, end = self._end, self._end + len(value)
        if end > len(self._shared):
            return None
        self._shared[start:end] = value
        self._end = end
        return start, end


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, shared: mmap.mmap) -> None:
        super().__init__(file)
        self._shared = shared

    def persistent_load(self, location: Any) -> bytes:
        start, end = location
        return self._shared[start:end]
