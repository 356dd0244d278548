"""Messages and agents: what comes over the network is JSON, bounded, and from who has the token."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from schemas.errors import SettingsError
from train.commands.supervise import _other_recipe
from train.supervisor.door import Door, address_of, join_leader
from train.supervisor.links import AgentLinks
from train.supervisor.wire import Wire


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield Wire(ours), theirs
    ours.close()
    theirs.close()


def test_messages_arrive_whole_however_they_are_cut(ends: tuple[Wire, socket.socket]) -> None:
    wire, other = ends

    other.sendall(b'{"tell": "re')
    assert wire.receive() == []
    other.sendall(b'ady"}\n{"tell": "exit"}\n')

    assert wire.receive() == [{"tell": "ready"}, {"tell": "exit"}]


@pytest.mark.parametrize("data", [b"no json\n", b"[1]\n", b"x" * (1 << 21), b"[" * 100_000 + b"\n"])
def test_what_is_no_message_ends_the_connection(
    ends: tuple[Wire, socket.socket], data: bytes
) -> None:
    wire, other = ends
    other.setblocking(False)
    sent = 0
    with pytest.raises(ConnectionError, match="sends no messages"):  # noqa: PT012 - in pieces
        while sent < len(data):
            sent += other.send(data[sent:])
            wire.receive()


def test_the_last_messages_of_an_end_that_is_gone_are_read(
    ends: tuple[Wire, socket.socket],
) -> None:
    wire, other = ends
    other.sendall(b'{"tell": "exit"}\n')
    other.close()

    assert wire.receive() == [{"tell": "exit"}]
    with pytest.raises(ConnectionError, match="is gone"):
        wire.receive()


@dataclass
class House:
    """A supervisor's links with an open door, and the wires of those who came."""

    links: AgentLinks
    leader: str
    wires: list[Wire]
    monkeypatch: pytest.MonkeyPatch

    def come(self, host: str, *, index: int = 0, token: str = "right", **recipe: Any) -> Wire:
        self.monkeypatch.setenv("TRAIN_SUPERVISOR_TOKEN", token)
        wire = join_leader(self.leader, host, index=index, seconds=5, recipe=recipe or None)
        self.wires.append(wire)
        return wire

    def answer(self, wire: Wire) -> list[Any]:
        """What an agent hears within five seconds."""
        until = time.monotonic() + 5
        while time.monotonic() < until:
            list(self.links.receive(0.01))
            if heard := wire.receive():
                return heard
        return []


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    links = AgentLinks()
    with socket.create_server(("127.0.0.1", 0)) as server:
        judge = partial(_other_recipe, {"seed": 1, "optimizer": {"name": "adamw"}})
        links.open(Door(server=server, token="right", judge=judge))
        made = House(links, f"127.0.0.1:{server.getsockname()[1]}", [], monkeypatch)
        yield made
        links.end(0)
        for wire in made.wires:
            wire.close()


def test_hosts_come_in_whenever_they_come_each_name_once(house: House) -> None:
    house.come("b", index=2)
    house.links.await_hosts(1, 5)
    house.come("a", index=1)
    house.links.await_hosts(2, 5)

    assert house.links.in_order() == ["a", "b"]
    (said,) = house.answer(house.come("b", index=2))
    assert said["do"] == "refuse"
    assert said["reason"] == "a host of the name b is here, from 127.0.0.1"
    assert house.links.in_order() == ["a", "b"]


def test_who_has_another_token_is_sent_away_and_told(house: House) -> None:
    (said,) = house.answer(house.come("thief", token="wrong"))

    assert said["reason"] == "its TRAIN_SUPERVISOR_TOKEN is not that of the run"
    assert house.links.by_host == {}


def test_a_host_with_another_recipe_is_sent_away_with_both_sides(house: House) -> None:
    wire = house.come("a", seed=2, optimizer={"name": "adamw"})

    (said,) = house.answer(wire)

    assert said["reason"] == "its recipe is another one: seed is 2 there, 1 here"


def test_a_stranger_that_says_nothing_holds_nobody_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run's own messages are read meanwhile; in the end it is sent away."""
    monkeypatch.setattr("train.supervisor.door.HELLO_SECONDS", 0.05)
    address, _, port = house.leader.rpartition(":")
    with socket.create_connection((address, int(port))) as silent:
        house.come("a")
        house.links.await_hosts(1, 5)
        assert house.links.in_order() == ["a"]

        (said,) = house.answer(Wire(silent))

    assert said["do"] == "refuse"


def test_hosts_that_do_not_come_are_not_awaited_for_ever(house: House) -> None:
    house.links.await_hosts(1, 0.05)

    assert house.links.by_host == {}


@pytest.mark.parametrize("text", ["node-1", "node-1:", ":29400", "node-1:x", "node-1:70000"])
def test_an_address_without_host_or_port_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="expected HOST:PORT"):
        address_of(text)
