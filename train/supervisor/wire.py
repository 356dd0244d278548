"""JSON messages, one a line, between the supervisor and the agents of its hosts."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from typing import Any

from schemas.plain_json import json_text

Message = dict[str, Any]
_READ_BYTES, _MAX_LINE_BYTES = 1 << 16, 1 << 20
_SEND_SECONDS = 10.0


class Wire:
    """One end of a connection; nothing that comes over it is ever run or unpickled."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._unread = b""

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, **message: Any) -> None:
        """Send one message.

        Raises:
            OSError: The other end is gone, or reads nothing.
        """
        self.socket.settimeout(_SEND_SECONDS)
        self.socket.sendall(json_text(message).encode() + b"\n")

    def receive(self) -> list[Message]:
        """The messages that have arrived.

        Raises:
            ConnectionError: The other end is gone, or sends what is no message.
        """
        self.socket.setblocking(False)
        while True:
            try:
                data = self.socket.recv(_READ_BYTES)
            except BlockingIOError:
                break
            if not data:
                if b"\n" in self._unread:
                    break  # its last words first
                raise ConnectionError("the other end is gone")
            self._unread += data
            if len(self._unread) > _MAX_LINE_BYTES:
                break
        *lines, self._unread = self._unread.split(b"\n")
        if len(self._unread) > _MAX_LINE_BYTES:
            raise ConnectionError("the other end sends no messages")
        return [_parsed(line) for line in lines if line]

    def close(self) -> None:
        with suppress(OSError):
            self.socket.close()


def _parsed(line: bytes) -> Message:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConnectionError("the other end sends no messages") from error
    if not isinstance(message, dict):
        raise ConnectionError("the other end sends no messages")
    return message
