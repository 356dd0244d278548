"""Sections: what a supervisor hears of a rank, and that nothing is said without one."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from train import sections
from train.sections import attach, learnt_seconds, section


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    monkeypatch.setenv("TRAIN_SUPERVISOR_SOCKET", str(theirs.detach()))
    monkeypatch.setattr(sections, "_reporter", None)
    attach()
    ours.setblocking(False)
    yield ours
    ours.close()


def heard(supervisor: socket.socket) -> list[tuple[str, int, int]]:
    messages = []
    while True:
        try:
            message = json.loads(supervisor.recv(65536))
        except BlockingIOError:
            return messages
        messages.append((message["section"], message["step"], message["told"]))


def test_after_an_inner_section_the_outer_one_goes_on(supervisor: socket.socket) -> None:
    with section("forward-backward", step=3), section("data"):
        pass

    assert heard(supervisor) == [
        ("start", -1, 1),
        ("forward-backward", 3, 2),
        ("data", 3, 3),
        ("forward-backward", 3, 4),
        ("start", 3, 5),
    ]


def test_an_error_is_told_where_it_rose(supervisor: socket.socket) -> None:
    with pytest.raises(ValueError, match="bad"), section("step", step=1), section("reduce"):
        raise ValueError("bad")
    assert heard(supervisor)[-1] == ("reduce", 1, 3)

    with section("checkpoint"):  # an error that is handled: the run goes on
        pass
    assert heard(supervisor)[-1] == ("start", 1, 5)


def test_a_supervisor_that_does_not_listen_never_delays_a_rank(supervisor: socket.socket) -> None:
    for step in range(5_000):  # far beyond what the socket holds
        with section("step", step=step):
            pass

    assert len(heard(supervisor)) < 10_001


def test_a_supervisor_that_is_gone_does_not_end_a_rank(supervisor: socket.socket) -> None:
    supervisor.close()

    with section("step", step=1):
        pass
    assert learnt_seconds() == {}


def test_the_newest_learnt_times_reach_the_checkpoint(supervisor: socket.socket) -> None:
    supervisor.send(b'{"learnt": {"step": 1.0}}')
    supervisor.send(b'{"learnt": {"step": 2.5}}')

    assert learnt_seconds() == {"step": 2.5}


def test_without_a_supervisor_nothing_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "_reporter", None)
    monkeypatch.delenv("TRAIN_SUPERVISOR_SOCKET", raising=False)

    assert attach() is None
    with section("reduce", step=0):
        pass
    assert learnt_seconds() is None


def test_an_observer_is_told_of_each_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "_reporter", None)
    monkeypatch.setattr(sections, "_observers", [])
    entered: list[tuple[str, int]] = []
    sections.observe(lambda name, step: entered.append((name, step)))

    with section("reduce", step=7):
        pass

    assert entered == [("reduce", 7)]


def test_an_order_to_go_on_without_a_rank_is_kept_until_it_is_asked_for(
    supervisor: socket.socket,
) -> None:
    reporter = sections.current_reporter()
    assert reporter is not None
    assert reporter.await_regrouping(after=0, seconds=0.01) is None
    supervisor.send(json.dumps({"learnt": {"step": 0.5}}).encode())
    supervisor.send(json.dumps({"generation": 1, "ranks": [0, 2]}).encode())

    assert learnt_seconds() == {"step": 0.5}
    assert reporter.await_regrouping(after=0, seconds=5) == (1, [0, 2])
    assert reporter.await_regrouping(after=1, seconds=0.01) is None  # it was carried out


def test_ranks_that_go_on_count_their_sections_from_one_number(supervisor: socket.socket) -> None:
    reporter = sections.current_reporter()
    assert reporter is not None
    reporter.align(2)
    with section("reduce", step=4):
        pass

    assert [told for _, _, told in heard(supervisor)][1:] == [2_000_000_001, 2_000_000_002]
