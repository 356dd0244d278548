"""Messages and agents: what comes over the network is JSON, bounded, and from who has the token."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from schemas.errors import SettingsError
from train.supervisor.links import AgentLinks, address_of, await_hosts, join_leader
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


@pytest.mark.parametrize("data", [b"no json\n", b"[1]\n", b"x" * (1 << 21)])
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


def test_only_who_has_the_token_joins_and_each_name_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    links = AgentLinks()
    with socket.create_server(("127.0.0.1", 0)) as server:
        leader = f"127.0.0.1:{server.getsockname()[1]}"
        joined = []
        for token, host, index in [
            ("wrong", "thief", 0), ("right", "b", 2), ("right", "b", 2), ("right", "a", 1)
        ]:  # fmt: skip
            monkeypatch.setenv("TRAIN_SUPERVISOR_TOKEN", token)
            joined.append(join_leader(leader, host, index=index, seconds=5))
        await_hosts(links, server, count=2, seconds=5)

    assert links.in_order() == ["a", "b"]
    assert [message.split()[-1] for message in caplog.messages] == ["away", "away"]
    links.end(0)
    for wire in joined:
        wire.close()


def test_hosts_that_do_not_come_are_not_awaited_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAIN_SUPERVISOR_TOKEN", "t")
    links = AgentLinks()
    with socket.create_server(("127.0.0.1", 0)) as server:
        await_hosts(links, server, count=1, seconds=0.05)

    assert links.by_host == {}


@pytest.mark.parametrize("text", ["node-1", "node-1:", ":29400", "node-1:x", "node-1:70000"])
def test_an_address_without_host_or_port_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="expected HOST:PORT"):
        address_of(text)
