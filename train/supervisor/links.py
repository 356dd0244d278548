"""The agents of all hosts: started here, or come in through the door."""

from __future__ import annotations

import logging
import selectors
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from train.supervisor.door import HELLO_SECONDS, Door, Stranger
from train.supervisor.wire import Message, Wire

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class AgentLink:
    """The supervisor's end of the connection to an agent.

    Attributes:
        address: Where other hosts reach it.
        index: Its number among the hosts; the last ones are the spares.
        offset: What to add to the agent's clock to have the supervisor's.
        process: The agent, where this process started it.
        is_ready: Whether it has imported everything and waits.
        first: What it said together with its name.
    """

    host: str
    wire: Wire
    address: str = "127.0.0.1"
    index: int = 0
    offset: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    is_ready: bool = False
    first: Sequence[Message] = ()

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
    _door: Door | None = None
    _strangers: list[Stranger] = field(default_factory=list)

    def open(self, door: Door) -> None:
        """Let agents of other hosts in from now on, whenever `receive` is called."""
        self._door = door
        self._selector.register(door, selectors.EVENT_READ, door)

    def await_hosts(self, count: int, seconds: float) -> None:
        """Let agents in until there are so many, or the time is over."""
        until = time.monotonic() + seconds
        while len(self.by_host) < count and (left := until - time.monotonic()) > 0:
            for _ in self.receive(left):
                pass

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
        if self._strangers:
            soonest = min(stranger.until for stranger in self._strangers)
            seconds = max(min(seconds, soonest - time.monotonic()), 0.0)
        for key, _ in self._selector.select(seconds):
            if isinstance(key.data, Door):
                self._open_to(key.data)
                continue
            found = self._greet(key.data) if isinstance(key.data, Stranger) else None
            link: AgentLink | None = key.data if isinstance(key.data, AgentLink) else found
            if link is None:
                continue
            try:
                messages = link.first if found else link.wire.receive()
            except OSError:
                self.drop(link)
                yield link, None
                continue
            for message in messages:
                link.note(message)
                yield link, message
        for stranger in [one for one in self._strangers if one.until <= time.monotonic()]:
            self._send_away(stranger, f"it said nothing within {HELLO_SECONDS:.0f} s", name="")

    def _open_to(self, door: Door) -> None:
        stranger = door.accept()
        if stranger is not None:
            self._strangers.append(stranger)
            self._selector.register(stranger.wire, selectors.EVENT_READ, stranger)

    def _greet(self, stranger: Stranger) -> AgentLink | None:
        """Let in who says the right things; None where it has not, or was sent away."""
        try:
            messages = stranger.wire.receive()
        except OSError:
            self._forget(stranger)
            return None
        if not messages:
            return None
        hello, *more = messages
        name = str(hello.get("host", ""))
        assert self._door is not None
        refusal = self._door.refusal(hello)
        if refusal is None and name in self.by_host:
            refusal = f"a host of the name {name} is here, from {self.by_host[name].address}"
        if refusal is not None:
            self._send_away(stranger, refusal, name=name)
            return None
        self._strangers.remove(stranger)
        self._selector.unregister(stranger.wire)
        index = hello.get("index", 0)
        link = AgentLink(
            host=name,
            wire=stranger.wire,
            address=stranger.address,
            index=index if isinstance(index, int) else 0,
            first=more,
        )
        self.add(link)
        logger.info("host %s joined", name)
        return link

    def _send_away(self, stranger: Stranger, reason: str, *, name: str) -> None:
        logger.warning("an agent of %s (%s) was sent away: %s", name[:64] or "nowhere", stranger.address, reason)  # fmt: skip
        with suppress(OSError):
            stranger.wire.send(do="refuse", reason=reason)
        self._forget(stranger)

    def _forget(self, stranger: Stranger) -> None:
        self._strangers.remove(stranger)
        self._selector.unregister(stranger.wire)
        stranger.wire.close()

    def refuse(self, link: AgentLink, reason: str) -> None:
        """Send an agent away that came in."""
        self.send(link.host, "refuse", reason=reason)
        self.drop(link)

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
                    link.process.wait(HELLO_SECONDS)
            self.drop(link)
        for process in self.simulated:
            try:
                process.wait(HELLO_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
