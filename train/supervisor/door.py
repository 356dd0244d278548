"""The door of a supervisor: agents of other hosts come in at any time of the run, with the run's token and its recipe."""

from __future__ import annotations

import hmac
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from schemas.errors import PipelineError, SettingsError
from train.supervisor.wire import Message, Wire

logger = logging.getLogger(__name__)

TOKEN_VARIABLE = "TRAIN_SUPERVISOR_TOKEN"
HELLO_SECONDS = 10.0
# A host that loses its power says nothing: the kernel asks after 10 s of silence, and gives up 15 s later.
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


@dataclass(kw_only=True)
class Stranger:
    """Who has connected and not yet said who it is.

    Attributes:
        until: When it is sent away, by the monotonic clock.
    """

    wire: Wire
    address: str
    until: float


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where agents of other hosts come in.

    Attributes:
        server: It listens.
        token: What all hosts of the run share.
        judge: Why settings that an agent tells are not the run's; None where they are.
    """

    server: socket.socket
    token: str
    judge: Callable[[Mapping[str, Any]], str | None] = lambda recipe: None

    def fileno(self) -> int:
        return self.server.fileno()

    def accept(self) -> Stranger | None:
        """Who has come; None where it is gone again."""
        self.server.setblocking(False)
        try:
            end, (address, *_) = self.server.accept()
        except OSError:
            return None
        keep_alive(end)
        return Stranger(wire=Wire(end), address=address, until=time.monotonic() + HELLO_SECONDS)

    def refusal(self, hello: Message) -> str | None:
        """Why an agent may not come in, with both sides; None where it may."""
        if not hmac.compare_digest(str(hello.get("token", "")).encode(), self.token.encode()):
            return f"its {TOKEN_VARIABLE} is not that of the run"
        if not isinstance(hello.get("host"), str) or not hello["host"]:
            return "it has no name"
        told = hello.get("recipe")
        return self.judge(told) if isinstance(told, dict) and told else None


def keep_alive(end: socket.socket) -> None:
    """Notice within half a minute that the machine at the other end is gone."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            with suppress(OSError):
                end.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def token_of_environment() -> str:
    """What proves that an agent belongs to the run: a variable, or the scheduler's number of the job.

    Raises:
        SettingsError: There is none.
    """
    for name in (TOKEN_VARIABLE, "SLURM_JOB_ID"):
        if os.environ.get(name):
            return os.environ[name]
    raise SettingsError(
        f"several hosts need a token that they share: set {TOKEN_VARIABLE} to the same value on each"
    )


def address_of(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`.

    Raises:
        SettingsError: It is neither.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SettingsError(f"--leader {text}: expected HOST:PORT, as node-1:29400")
    return host, int(port)


def join_leader(
    leader: str,
    host: str,
    *,
    index: int,
    seconds: float,
    own: str | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> Wire:
    """Connect to the supervisor of another host; it may refuse, which the agent then hears.

    Args:
        leader: Its HOST:PORT.
        host: Name of this host.
        index: Its number.
        seconds: How long to try.
        own: Address to come from; None: what the network chooses.
        recipe: This host's settings as JSON.

    Raises:
        PipelineError: It did not answer in time.
    """
    address, token = address_of(leader), token_of_environment()
    until = time.monotonic() + seconds
    while True:
        try:
            end = socket.create_connection(
                address, timeout=5.0, source_address=(own, 0) if own else None
            )
            break
        except OSError as error:
            if time.monotonic() > until:
                raise PipelineError(f"the leader {leader} did not answer: {error}") from error
            time.sleep(0.5)
    keep_alive(end)
    wire = Wire(end)
    wire.send(tell="hello", host=host, index=index, token=token, recipe=dict(recipe or {}))
    return wire
