"""A supervisor with real processes for ranks that train nothing: what follows each kind of end."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import PipelineError, SettingsError
from train.report.events import Event, EventLog, read_events
from train.sections import section
from train.supervisor.agent import Agent, _Child
from train.supervisor.config import SupervisionConfig
from train.supervisor.door import Door, join_leader
from train.supervisor.hosts import HostBook
from train.supervisor.job import AskedToStop, Job
from train.supervisor.leader import Supervisor
from train.supervisor.links import AgentLink, AgentLinks
from train.supervisor.wire import Wire

# A loaded machine holds up a fork for seconds: only where a hang is asked for is none waited for long.
PATIENT = SupervisionConfig(stopped_seconds=0.1, max_backoff_seconds=0)
QUICK = PATIENT.model_copy(update={"floor_seconds": 2.0, "start_floor_seconds": 6.0})


def rank(argv: list[str]) -> int:
    """A rank that does what the first word says, in the attempts that the second counts."""
    behaviour, attempts = argv[0], int(argv[1])
    is_first, number = os.environ["RANK"] == "0", int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    if behaviour in ("train", "lose the host") and number < attempts:
        train(Path(argv[2]), is_first=is_first, loses_host=behaviour == "lose the host")
        return 0
    with section("forward-backward", step=number):
        if is_first and number < attempts:
            misbehave(behaviour)
        if number < attempts:
            time.sleep(30)  # as in a collective with a rank that is gone
    return 0


def train(output: Path, *, is_first: bool, loses_host: bool) -> None:
    """Step until asked to leave, as `pretrain` does, or until another host has come."""
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: asked.set())
    for step in itertools.count():
        with section("step", step=step):
            (output / "steps").touch()
            if asked.wait(0.02):
                break
            if loses_host and '"joined"' in (output / "events.jsonl").read_text(encoding="utf-8"):
                misbehave("parent")
    if is_first:
        EventLog(output / "events.jsonl").append("stop", step=3)


def misbehave(behaviour: str) -> None:
    match behaviour:
        case "error":
            raise ValueError(f"odd at {time.time()}")
        case "settings":
            raise SettingsError("no such preset")
        case "document":
            raise PipelineError("cannot be read", entity="document 7")
        case "leave":
            os._exit(5)
        case "hold":
            ctypes.PyDLL(None).sleep(30)
        case "parent":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(30)
        case _:
            os.kill(os.getpid(), getattr(signal, behaviour))


@dataclass
class Crew:
    """Agents in forked processes, and the supervisor that leads them."""

    output: Path
    links: AgentLinks
    agents: list[int]

    def hire(self, *hosts: str) -> None:
        for host in hosts:
            ours, theirs = socket.socketpair()
            pid = os.fork()
            if pid == 0:
                try:
                    ours.close()
                    Agent(Wire(theirs), rank, scratch=self.output).serve()
                finally:
                    os._exit(0)
            theirs.close()
            self.agents.append(pid)
            self.links.add(AgentLink(host=host, wire=Wire(ours)))

    def open_door(self, monkeypatch: pytest.MonkeyPatch) -> str:
        """Let hosts come over the network; returns the leader's address."""
        monkeypatch.setenv("TRAIN_SUPERVISOR_TOKEN", "t")
        server = socket.create_server(("127.0.0.1", 0))
        self.links.open(Door(server=server, token="t"))
        return f"127.0.0.1:{server.getsockname()[1]}"

    def hire_late(self, host: str, leader: str) -> None:
        """A host that comes once the ranks of the others step."""
        pid = os.fork()
        if pid == 0:
            try:
                while not (self.output / "steps").exists():
                    time.sleep(0.02)
                wire = join_leader(leader, host, index=9, seconds=5)
                with suppress(PipelineError):
                    Agent(wire, rank, scratch=self.output).serve()
            finally:
                os._exit(0)
        self.agents.append(pid)

    def hosts(self) -> list[tuple[str, str]]:
        events = read_events(self.output / "events.jsonl")
        return [(event["host"], event["state"]) for event in events if event["kind"] == "host"]

    def lead(self, behaviour: str, attempts: int, *, wanted: int = 1, **asked: Any) -> int:
        supervisor = Supervisor(
            job=Job(output=self.output, argv=[behaviour, str(attempts), str(self.output)], ranks_per_host=2,
                    session="s", config=QUICK if behaviour == "hold" else PATIENT),
            links=self.links,
            hosts=HostBook(hosts=list(self.links.by_host), wanted=wanted),
            restart_agent=lambda host: False,
            asked=AskedToStop(**asked),
        )  # fmt: skip
        return supervisor.run()

    def ends(self) -> list[Event]:
        events = read_events(self.output / "events.jsonl")
        return [event for event in events if event["kind"] == "attempt_end"]


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    made = Crew(tmp_path, AgentLinks(), [])
    yield made
    made.links.end(0)
    for pid in made.agents:
        os.waitpid(pid, 0)


@pytest.mark.parametrize(
    ("behaviour", "cause", "code", "signalled"),
    [
        ("error", "exception", 1, None),
        ("leave", "exit", 5, None),
        ("SIGKILL", "killed", None, signal.SIGKILL),
        ("SIGSEGV", "crash", None, signal.SIGSEGV),
        ("SIGSTOP", "stopped", None, signal.SIGSTOP),
        ("hold", "hang", None, None),
    ],
)
def test_a_rank_that_fails_once_is_named_and_the_next_attempt_ends_well(
    crew: Crew, behaviour: str, cause: str, code: int | None, signalled: int | None
) -> None:
    crew.hire("a")

    assert crew.lead(behaviour, 1) == 0

    failed, done = crew.ends()
    assert (failed["cause"], failed["verdict"], failed["budget_left"]) == (cause, "restart", 2)
    first = failed["first"]
    assert (first["rank"], first["host"], first["section"]) == (0, "a", "forward-backward")
    if cause not in ("hang", "stopped"):
        assert (first["code"], first["signal"]) == (code, signalled)
    assert failed["seconds_to_notice"] < 25  # not waited for; benchmarks/train/chaos.py measures it
    assert failed["ranks"][1]["ended_by_us"]
    assert (done["outcome"], done.get("cause")) == ("finished", None)
    if cause in ("hang", "stopped"):
        stack = (crew.output / "attempts" / "0000" / "rank-0.stack").read_text(encoding="utf-8")
        assert "test_leader.py" in stack
        assert "misbehave" in stack


def test_a_rank_that_ends_right_after_a_report_does_not_end_its_host(crew: Crew) -> None:
    """Its end and its report can be seen in one look, the end first."""
    ours, theirs = socket.socketpair()
    agent = Agent(Wire(ours), rank, scratch=crew.output)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    reports, child_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reports.setblocking(False)
    child = _Child(rank=0, pid=pid, pidfd=os.pidfd_open(pid), reports=reports)
    agent._watch(child)
    child_end.send(b'{"section": "step"}')

    agent._bury(child)
    agent._hear(child)

    told = Wire(theirs).receive()
    assert [message["tell"] for message in told] == ["section", "exit"]
    child_end.close()


@pytest.mark.parametrize(
    ("behaviour", "attempts", "exit_code", "rule"),
    [("error", 4, 1, "general"), ("document", 2, 93, "confirmation"), ("settings", 1, 93, "unrecoverable")],
)  # fmt: skip
def test_failures_of_one_root_end_the_run_when_their_budget_is_used_up(
    crew: Crew, behaviour: str, attempts: int, exit_code: int, rule: str
) -> None:
    crew.hire("a")

    assert crew.lead(behaviour, 99) == exit_code

    ends = crew.ends()
    assert len(ends) == attempts
    assert [end["verdict"] for end in ends] == ["restart"] * (attempts - 1) + ["stop"]
    assert (ends[-1]["rule"], ends[-1]["exit_code"]) == (rule, exit_code)
    assert (
        len({end["root"] for end in ends}) == 1
    )  # its message holds the time: that is no part of it


def test_a_requeued_job_goes_on_counting(crew: Crew) -> None:
    crew.hire("a")
    assert crew.lead("document", 99) == 93

    assert crew.lead("document", 99) == 93  # of the same session

    assert len(crew.ends()) == 3  # the third attempt is judged by the two before


def test_a_spare_takes_over_from_a_host_that_is_gone(crew: Crew) -> None:
    crew.hire("a", "b", "c")

    assert crew.lead("parent", 1, wanted=2) == 0

    failed, done = crew.ends()
    assert failed["cause"] == "host_lost"
    assert {one["host"] for one in done["ranks"]} == {"b", "c"}
    assert len(done["ranks"]) == 4


def test_without_a_spare_the_others_go_on(crew: Crew) -> None:
    crew.hire("a", "b")

    assert crew.lead("parent", 1, wanted=2) == 0

    assert [one["host"] for one in crew.ends()[-1]["ranks"]] == ["b", "b"]


def test_a_host_that_comes_late_brings_the_run_to_its_full_size(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew.hire("a")
    crew.hire_late("b", crew.open_door(monkeypatch))

    assert crew.lead("train", 1, wanted=2) == 0

    assert crew.hosts() == [("b", "joined")]
    short, whole = crew.ends()
    assert (short["outcome"], short.get("cause"), short["ranks"][0]["code"]) == (
        "more hosts",
        None,
        0,
    )
    assert [one["host"] for one in short["ranks"]] == ["a", "a"]
    assert [one["host"] for one in whole["ranks"]] == ["a", "a", "b", "b"]
    assert whole["outcome"] == "finished"


def test_a_host_that_comes_late_to_a_run_of_full_size_stands_by(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew.hire("a")
    crew.hire_late("b", crew.open_door(monkeypatch))

    assert crew.lead("lose the host", 1, wanted=1) == 0

    assert crew.hosts() == [("b", "joined"), ("a", "lost")]
    lost, done = crew.ends()
    assert (lost["outcome"], lost["cause"]) == ("failed", "host_lost")
    assert [one["host"] for one in done["ranks"]] == ["b", "b"]


def test_with_no_host_left_the_run_ends(crew: Crew) -> None:
    crew.hire("a")

    assert crew.lead("parent", 9) == 1

    assert read_events(crew.output / "events.jsonl")[-1]["state"] == "none is left"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_supervisor_that_was_asked_to_stop_starts_nothing(
    crew: Crew, number: int, code: int
) -> None:
    crew.hire("a")

    assert crew.lead("error", 1, number=number) == code
    assert not (crew.output / "events.jsonl").exists()


def test_the_third_failure_on_a_host_has_it_examined_and_cleared(crew: Crew) -> None:
    crew.hire("a")

    assert crew.lead("SIGKILL", 3) == 0

    events = read_events(crew.output / "events.jsonl")
    hosts = [(event["state"], event.get("evidence")) for event in events if event["kind"] == "host"]
    assert hosts == [("suspect", None), ("works", [])]


def test_a_host_whose_disk_is_gone_is_taken_out_with_the_evidence(crew: Crew) -> None:
    scratch, crew.output = crew.output, crew.output / "gone"
    crew.hire("a")  # its agent examines a folder that is not there
    crew.output = scratch
    crew.hire("b")

    assert crew.lead("SIGKILL", 3) == 0

    events = read_events(crew.output / "events.jsonl")
    (out,) = [event for event in events if event.get("state") == "excluded"]
    assert out["host"] == "a"
    assert out["evidence"] == [f"disk {scratch}/gone: No such file or directory"]
    assert crew.ends()[-1]["ranks"][0]["host"] == "b"


def test_the_ledger_is_whole_json(crew: Crew) -> None:
    crew.hire("a")
    assert crew.lead("error", 1) == 0

    lines = (crew.output / "events.jsonl").read_text(encoding="utf-8").splitlines()

    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds == ["attempt", "attempt_end", "attempt", "attempt_end"]
