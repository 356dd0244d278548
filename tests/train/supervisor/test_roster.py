"""When a run that lacks ranks saves itself for more of them, and who is welcome."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from schemas.errors import SettingsError
from train.report.events import EventLog
from train.supervisor.attempt import Attempt, RankState
from train.supervisor.config import SupervisionConfig
from train.supervisor.hosts import HostBook
from train.supervisor.job import Job
from train.supervisor.links import AgentLink, AgentLinks
from train.supervisor.roster import Roster
from train.supervisor.wire import Wire


@dataclass
class Scene:
    """A roster over links whose agents say nothing."""

    folder: Path
    links: AgentLinks = field(default_factory=AgentLinks)
    ends: list[socket.socket] = field(default_factory=list)
    smallest: int = 1

    def refuse(self, size: int) -> None:
        if size < self.smallest:
            raise SettingsError(f"{size} ranks cannot be")

    def roster(self, *hosts: str, wanted: int) -> Roster:
        for host in hosts:
            self.link(host)
        return Roster(
            book=HostBook(hosts=list(hosts), wanted=wanted),
            links=self.links,
            ledger=EventLog(self.folder / "events.jsonl"),
            job=Job(
                output=self.folder, argv=[], ranks_per_host=2, session="s",
                config=SupervisionConfig(), refuse=self.refuse,
            ),
            restart_agent=lambda host: False,
            pump=lambda: None,
        )  # fmt: skip

    def link(self, host: str) -> AgentLink:
        ours, theirs = socket.socketpair()
        self.ends.append(theirs)
        link = AgentLink(host=host, wire=Wire(ours), is_ready=True)
        self.links.add(link)
        return link


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def attempt_on(*hosts: str) -> Attempt:
    """An attempt with two ranks on each host."""
    made = Attempt.begin(0, SupervisionConfig(), {}, 0.0)
    for number, host in enumerate(one for one in hosts for _ in range(2)):
        made.ranks[number] = RankState(rank=number, host=host, since=0.0)
    return made


def publish(folder: Path, step: int) -> None:
    path = folder / "checkpoints" / f"step-{step:08d}"
    path.mkdir(parents=True)
    (path / "state.json").write_text("{}", encoding="utf-8")
    (folder / "checkpoints" / "latest").write_text(path.name, encoding="utf-8")


def test_a_run_of_full_size_goes_on_whoever_comes(scene: Scene) -> None:
    roster = scene.roster("a", wanted=1)

    roster.welcome(scene.link("b"))

    assert not roster.allows_more(attempt_on("a"))
    (event,) = roster.ledger.events
    assert (event["host"], event["state"], event["evidence"]) == ("b", "joined", ["stands by"])


def test_a_host_that_comes_to_a_run_that_lacks_one_is_worth_a_new_attempt(scene: Scene) -> None:
    roster = scene.roster("a", wanted=2)
    assert not roster.allows_more(attempt_on("a"))

    roster.welcome(scene.link("b"))

    assert roster.allows_more(attempt_on("a"))


def test_a_host_that_comes_and_goes_waits_for_the_next_checkpoint(scene: Scene) -> None:
    roster, attempt = scene.roster("a", wanted=2), attempt_on("a")
    for _ in range(3):
        link = scene.link("b")
        roster.welcome(link)
        roster.lose("b")
    roster.welcome(scene.link("b"))
    attempt.short_since_step = roster.job.published_steps()
    assert not roster.allows_more(attempt)

    publish(scene.folder, 40)

    assert roster.allows_more(attempt)


def test_a_lost_rank_of_a_host_that_stayed_waits_for_the_next_checkpoint(scene: Scene) -> None:
    roster, attempt = scene.roster("a", "b", wanted=2), attempt_on("a", "b")
    attempt.replace([attempt.ranks[number] for number in (0, 1, 2)], 1.0)
    attempt.short_since_step = roster.job.published_steps()
    assert not roster.allows_more(attempt)

    publish(scene.folder, 40)

    assert roster.allows_more(attempt)


def test_a_size_that_the_layout_cannot_have_is_not_asked_for(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    roster = scene.roster("a", wanted=3)
    scene.smallest = 6
    roster.welcome(scene.link("b"))

    assert not roster.allows_more(attempt_on("a"))
    assert not roster.allows_more(attempt_on("a"))

    assert [message for message in caplog.messages if "4 ranks could work" in message] != []
    assert len(caplog.messages) == 1  # said once


def test_a_host_that_was_taken_out_is_sent_away_with_the_evidence(scene: Scene) -> None:
    roster = scene.roster("a", "b", wanted=1)
    assert [roster.book.note("a", at) for at in range(3)][-1]
    roster.book.examined("a", ["clock"])
    roster.sniffed["a"] = ["clock: 60 s by the calendar"]

    roster.welcome(roster.links.by_host["a"])

    (said,) = Wire(scene.ends[0]).receive()
    assert said == {
        "do": "refuse",
        "reason": "host a was taken out: clock: 60 s by the calendar",
    }
    assert "a" not in roster.links.by_host
