"""The agents of all hosts: started here, or come over the network with the run's token."""

from __future__ import annotations

import hmac
import logging
import os
import selectors
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import PipelineError, SettingsError
from train.supervisor.wire import Message, Wire

logger = logging.getLogger(__name__)

TOKEN_VARIABLE = "TRAIN_SUPERVISOR_TOKEN"
_HELLO_SECONDS = 10.0


@dataclass(kw_only=True)
class AgentLink:
    """The supervisor's end of the connection to an agent.

    Attributes:
        address: Where other hosts reach it.
        index: Its number among the hosts; the last ones are the spares.
        offset: What to add to the agent's clock to have the supervisor's.
        process: The agent, where this process started it.
        is_ready: Whether it has imported everything and waits.
    """

    host: str
    wire: Wire
    address: str = "127.0.0.1"
    index: int = 0
    offset: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    is_ready: bool = False

    def note(self, message: Message) -> None:
        """Learn that the agent is ready, and how its clock differs."""
        if message.get("tell") == "ready":
            self.offset, self.is_ready = time.monotonic() - message["at"], True


@dataclass
class AgentLinks:
    """All agents by the name of their host.

    Attributes:
        simulated: Agents of simulated hosts, which came over the network.
    """

    by_host: dict[str, AgentLink] = field(default_factory=dict)
    simulated: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def in_order(self) -> list[str]:
        """Names of the hosts by their numbers."""
        return sorted(self.by_host, key=lambda host: self.by_host[host].index)

    def add(self, link: AgentLink) -> None:
        self.by_host[link.host] = link
        self._selector.register(link.wire, selectors.EVENT_READ, link)

    def start_here(self, host: str, command: Sequence[str], *, address: str) -> None:
        """Start an agent on this machine; it is not touched by the signals of this terminal."""
        ours, theirs = socket.socketpair()
        process = subprocess.Popen(
            [*command, str(theirs.fileno())], pass_fds=[theirs.fileno()], start_new_session=True
        )
        theirs.close()
        self.add(AgentLink(host=host, wire=Wire(ours), address=address, process=process))

    def send(self, host: str, do: str, **fields: Any) -> bool:
        """Tell an agent what to do; returns whether it is still there."""
        link = self.by_host.get(host)
        if link is None:
            return False
        with suppress(OSError):
            link.wire.send(do=do, **fields)
            return True
        return False  # `receive` tells that it is lost

    def receive(self, seconds: float) -> Iterator[tuple[AgentLink, Message | None]]:
        """What agents say within that time; None from one that is lost."""
        for key, _ in self._selector.select(seconds):
            link: AgentLink = key.data
            try:
                messages = link.wire.receive()
            except OSError:
                self.drop(link)
                yield link, None
                continue
            for message in messages:
                link.note(message)
                yield link, message

    def drop(self, link: AgentLink) -> None:
        """Forget an agent, and end it where this process started it."""
        self._selector.unregister(link.wire)
        link.wire.close()
        self.by_host.pop(link.host, None)
        if link.process is not None:
            with suppress(ProcessLookupError):
                link.process.kill()
            link.process.wait()

    def end(self, code: int) -> None:
        """Let all agents end with a code."""
        for host, link in list(self.by_host.items()):
            self.send(host, "end", code=code)
            if link.process is not None:
                with suppress(subprocess.TimeoutExpired):
                    link.process.wait(_HELLO_SECONDS)
            self.drop(link)
        for process in self.simulated:
            try:
                process.wait(_HELLO_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


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


def await_hosts(links: AgentLinks, server: socket.socket, *, count: int, seconds: float) -> None:
    """Let agents in until there are so many, or the time is over; those without the token are sent away.

    Agents that come later than the time are left out, where at least one is there.
    """
    token, until = token_of_environment(), time.monotonic() + seconds
    while len(links.by_host) < count and time.monotonic() < until:
        server.settimeout(max(until - time.monotonic(), 0.01))
        try:
            end, (address, *_) = server.accept()
        except TimeoutError:
            break
        wire = Wire(end)
        hello, *more = _hello(wire)
        name = str(hello.get("host", ""))
        if not hmac.compare_digest(str(hello.get("token", "")).encode(), token.encode()):
            logger.warning(
                "an agent of %s without the run's token was sent away", name or "nowhere"
            )
            wire.close()
        elif not name or name in links.by_host:
            logger.warning("a second agent of the host %s was sent away", name)
            wire.close()
        else:
            link = AgentLink(
                host=name, wire=wire, address=address, index=int(hello.get("index", 0))
            )
            links.add(link)
            for message in more:  # it came in the same packet
                link.note(message)
            logger.info("host %s joined", name)


def _hello(wire: Wire) -> list[Message]:
    """The first messages of an agent; an empty one where there are none."""
    until = time.monotonic() + _HELLO_SECONDS
    while time.monotonic() < until:
        try:
            messages = wire.receive()
        except OSError:
            break
        if messages:
            return messages
        time.sleep(0.01)
    return [{}]


def join_leader(
    leader: str, host: str, *, index: int, seconds: float, own: str | None = None
) -> Wire:
    """Connect to the supervisor of another host.

    Args:
        leader: Its HOST:PORT.
        host: Name of this host.
        index: Its number.
        seconds: How long to try.
        own: Address to come from; None: what the network chooses.

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
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wire = Wire(end)
    wire.send(tell="hello", host=host, index=index, token=token)
    return wire
