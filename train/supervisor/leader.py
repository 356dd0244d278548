"""The supervisor: starts an attempt, watches it, says why it failed, and starts the next or stops."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import ContractError, PipelineError
from train.report.events import EVENTS_NAME, EventLog
from train.report.page import write_report
from train.supervisor.attempt import Attempt, RankState
from train.supervisor.ends import RankEnd, cause_of, root_end
from train.supervisor.hosts import HostBook
from train.supervisor.job import AskedToStop, Job
from train.supervisor.ledger import attempt_end, failures_of, in_words, learnt_of, straggler_events
from train.supervisor.links import AgentLinks
from train.supervisor.roster import Roster
from train.supervisor.stragglers import Flags
from train.supervisor.take_over import take_over_event, taken_over
from train.supervisor.verdict import (
    CAUSES,
    EXIT_CANCELLED,
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_REQUEUE,
    Failure,
    Verdict,
    judge,
)
from train.supervisor.words import fingerprint

logger = logging.getLogger(__name__)

_LOOK_SECONDS, _LAST_CALL_SECONDS, _STACK_SECONDS, _TERM_SECONDS = 0.1, 0.25, 0.3, 0.1
_BURY_SECONDS, _STORE_SECONDS, _SCORE_SECONDS = 10.0, 60.0, 1.0
_MEANWHILE_SECONDS = 0.02
ATTEMPTS_NAME = "attempts"


@dataclass
class Supervisor:
    """Keeps one run going over its attempts.

    Attributes:
        hosts: What is known of each host.
        roster: Who works and who could, by that.
        restart_agent: Starts the agent of a host of this machine anew; returns False for other hosts.
    """

    job: Job
    links: AgentLinks
    hosts: HostBook
    restart_agent: Callable[[str], bool]
    asked: AskedToStop = field(default_factory=AskedToStop)
    ledger: EventLog = field(init=False)
    roster: Roster = field(init=False)
    _stores: dict[str, int] = field(default_factory=dict)
    _flags: Flags = field(default_factory=Flags)
    _goes_back: bool = False

    def __post_init__(self) -> None:
        self.ledger = EventLog(self.job.output / EVENTS_NAME)
        self.roster = Roster(
            book=self.hosts,
            links=self.links,
            ledger=self.ledger,
            job=self.job,
            restart_agent=self.restart_agent,
            pump=lambda: self._pump(None),
        )

    def run(self) -> int:
        """Train to the end, or until the verdict is to stop; returns the exit code."""
        number = sum(event["kind"] == "attempt" for event in self.ledger.events)
        code: int | None = None
        while code is None:
            code = self._attempt(number)
            number += 1
        with suppress(ContractError):  # a run without a step has no page
            write_report(self.job.output)
        return code

    def _attempt(self, number: int) -> int | None:
        """One attempt with its verdict; the exit code, or None where another one follows."""
        step_before = self.job.published_steps()
        attempt = self._start(number)
        if attempt is None:
            return EXIT_FAILED if self.asked.number is None else self._code_of_stop()
        self._watch(attempt)
        for host in attempt.suspects:
            self.roster.examine(host)
        asked = self.asked.number
        failed_at = time.monotonic()
        ends = [rank.end(failed_at) for rank in attempt.members]
        root = root_end(ends)
        if asked is not None:
            return self._stopped(attempt, asked, ends)
        if root is None and attempt.makes_room and self._was_left():
            self._note_end(attempt, outcome="more hosts")
            return None
        if root is None and not self._was_left():
            self._note_end(attempt, outcome="finished")
            return EXIT_DONE
        cause = "asked_from_outside" if root is None else cause_of(root)
        words = root.words if root else None
        failure = Failure(
            cause=cause,
            root=fingerprint(cause, words),
            entity=words.entity if words else None,
            step_before=step_before,
            step_after=self.job.published_steps(),
        )
        earlier = failures_of(self.ledger.events, self.job.session)
        verdict = judge(
            [*earlier, failure],
            self.job.config.restarts,
            max_pause=self.job.config.max_backoff_seconds,
        )
        self._note_end(attempt, outcome="failed", root=root, failure=failure, verdict=verdict)
        self._goes_back = cause == "damaged_checkpoint"
        if CAUSES[cause].blames_host and root is not None and self.hosts.note(root.host, failed_at):
            self.roster.examine(root.host)
        if not verdict.restarts:
            return verdict.exit_code
        self._pause(verdict.pause_seconds)
        return None if self.asked.number is None else self._code_of_stop()

    # Starting

    def _start(self, number: int) -> Attempt | None:
        """Fork the ranks of an attempt on the hosts that are left; None where there are none."""
        hosts = self.roster.ready(
            seconds=self.job.config.start_floor_seconds,
            is_asked=lambda: self.asked.number is not None,
        )
        if self.asked.number is not None:
            return None
        size = len(hosts) * self.job.ranks_per_host
        if not hosts:
            logger.error("no host is left")
            self.ledger.append("host", step=0, state="none is left")
            return None
        self.job.refuse(size)
        port = self._store_on(hosts[0])
        learnt = learnt_of(self.job.newest_checkpoint())
        attempt = Attempt.begin(number, self.job.config, learnt, time.monotonic())
        attempt.short_since_step = self.job.published_steps()
        self.ledger.append(
            "attempt",
            step=self.job.published_steps() or 0,
            attempt=number,
            session=self.job.session,
            ranks=size,
            hosts=hosts,
        )
        argv = [*self.job.argv, *(["--from-last-good"] if self._goes_back else [])]
        for index, host in enumerate(hosts):
            first = index * self.job.ranks_per_host
            ranks = list(range(first, first + self.job.ranks_per_host))
            for rank in ranks:
                attempt.ranks[rank] = RankState(rank=rank, host=host, since=time.monotonic())
            self.links.send(
                host,
                "spawn",
                ranks=ranks,
                argv=argv,
                folder=str(self.folder(number)),
                environment={
                    "WORLD_SIZE": size,
                    "MASTER_ADDR": self.roster.address(hosts[0]),
                    "MASTER_PORT": port,
                    # The names that torchrun has for them: ranks read one set of variables.
                    "TORCHELASTIC_USE_AGENT_STORE": True,
                    "TORCHELASTIC_RESTART_COUNT": number,
                    "GROUP_RANK": index,
                },
            )
        return attempt

    def folder(self, number: int) -> Path:
        """Where the stacks of an attempt lie."""
        return self.job.output / ATTEMPTS_NAME / f"{number:04d}"

    def _store_on(self, host: str) -> int:
        """Port of the store; it outlives the ranks, and each attempt has its own prefix in it."""
        if host not in self._stores:
            self._stores.clear()
            self.links.send(host, "store", address=self.roster.address(host))
            until = time.monotonic() + _STORE_SECONDS
            while host not in self._stores and time.monotonic() < until:
                self._pump(None)
        if host not in self._stores:
            raise PipelineError(f"host {host}: the store did not open")
        return self._stores[host]

    # Watching

    def _pump(self, attempt: Attempt | None, seconds: float = _LOOK_SECONDS) -> None:
        """Take in what the agents tell within that time."""
        for link, message in self.links.receive(seconds):
            if message is None:
                self._stores.pop(link.host, None)
                ranks = (
                    [rank for rank in attempt.alive if rank.host == link.host] if attempt else []
                )
                for rank in ranks:
                    rank.ended_at, rank.is_lost = time.monotonic(), True
                if not ranks:
                    self.roster.replace(link.host)  # it stood by
                continue
            match message.get("tell"):
                case "ready":
                    self.roster.welcome(link)
                case "store" if message["port"] is not None:
                    self._stores[link.host] = message["port"]
                case "sniffed":
                    self.roster.sniffed[link.host] = message["faults"]
                case _ if attempt is not None:
                    attempt.take(message, message["at"] + link.offset)

    def _watch(self, attempt: Attempt) -> None:
        """Until all ranks have ended, by themselves or by us."""
        config, asked_at, scored_at = self.job.config, None, time.monotonic()
        while attempt.alive:
            self._pump(attempt)
            now = time.monotonic()
            if self.asked.number is not None and asked_at is None:
                asked_at = now
                self._signal(attempt.alive, signal.SIGTERM)
            is_late = self.asked.is_urgent or (
                asked_at is not None and now - asked_at > config.stop_grace_seconds
            )
            has_died = attempt.has_lost() or attempt.has_failed()
            stands_still = not has_died and (
                is_late
                or attempt.stopped_longer(now, config.stopped_seconds)
                or attempt.find_hung(now)
            )
            if (has_died or stands_still) and (is_late or not self._take_over(attempt)):
                self._end_others(attempt, with_stacks=stands_still)
            if now - scored_at > _SCORE_SECONDS:
                scored_at = now
                self._score(attempt)
                if asked_at is None and attempt.is_under_way and self.roster.allows_more(attempt):
                    logger.info(
                        "attempt %d saves itself: the next one has more hosts", attempt.number
                    )
                    attempt.makes_room = True
                    self._signal(attempt.alive, signal.SIGTERM)
        self._replace_gone(attempt)

    def _replace_gone(self, attempt: Attempt) -> None:
        for host in {rank.host for rank in attempt.ranks.values()}:
            if host not in self.links.by_host:
                self.roster.replace(host)

    def _take_over(self, attempt: Attempt) -> bool:
        """Let the ranks that are left take over what the failed ones did; False where a new attempt must follow."""
        if not self.job.takes_over or self.asked.number is not None or not self._stores:
            return False
        # The ranks of one host are lost one after the other.
        self._pump_for(attempt, _MEANWHILE_SECONDS)
        noticed_at = time.monotonic()
        found = taken_over(attempt, noticed_at, refuse=self.job.refuse)
        if found is None:
            return False
        root, left = found
        failed = [rank for rank in attempt.alive if rank not in left]
        self._end(attempt, failed, with_stacks=True)
        fields = take_over_event(attempt, root, left, noticed_at)
        attempt.replace(left, time.monotonic())
        attempt.short_since_step = self.job.published_steps()
        self._replace_gone(attempt)
        for host in {rank.host for rank in left}:
            numbers = [rank.rank for rank in left]
            self.links.send(host, "regroup", ranks=numbers, generation=attempt.generation)
        self.ledger.append("take_over", step=max(root.step, 0), **fields)
        logger.warning(
            "attempt %d: rank %d on %s failed in %s of step %d: %s; the other %d take over its rows",
            attempt.number, root.rank, root.host, root.section, root.step, fields["reason"], len(left),
        )  # fmt: skip
        blames = CAUSES[fields["cause"]].blames_host and not root.is_lost
        if blames and self.hosts.note(root.host, noticed_at):
            attempt.suspects.append(root.host)
        return True

    def _end_others(self, attempt: Attempt, *, with_stacks: bool) -> None:
        """End the ranks that are left; those in a collective answer neither SIGTERM nor their peers."""
        attempt.undo_replacing()
        attempt.noticed_at = attempt.noticed_at or time.monotonic()
        self._pump_for(attempt, _LAST_CALL_SECONDS)
        self._end(attempt, attempt.alive, with_stacks=with_stacks)

    def _end(self, attempt: Attempt, ranks: Sequence[RankState], *, with_stacks: bool) -> None:
        """End some ranks, if asked with their stacks in the attempt's folder first."""
        if with_stacks and ranks:
            for number in (signal.SIGUSR1, signal.SIGCONT):
                self._signal(ranks, number)
            self._pump_for(attempt, _STACK_SECONDS)
            attempt.name_by_stacks(self.folder(attempt.number))
        for rank in ranks:
            rank.sentenced = rank.sentenced or rank.is_alive
        if with_stacks and ranks:
            self._signal(ranks, signal.SIGTERM)
            self._pump_for(attempt, _TERM_SECONDS)
        self._signal(ranks, signal.SIGKILL)
        until = time.monotonic() + _BURY_SECONDS
        while any(rank.is_alive for rank in ranks) and time.monotonic() < until:
            self._pump(attempt, 0.02)
        for rank in ranks:
            if rank.is_alive:  # not even the kernel can end it: its host does not answer
                rank.ended_at, rank.is_lost = time.monotonic(), True
                self.roster.lose(rank.host)

    def _pump_for(self, attempt: Attempt, seconds: float) -> None:
        until = time.monotonic() + seconds
        while attempt.alive and (left := until - time.monotonic()) > 0:
            self._pump(attempt, left)

    def _signal(self, ranks: Sequence[RankState], number: int) -> None:
        for rank in ranks:
            if rank.is_alive:
                self.links.send(rank.host, "signal", rank=rank.rank, number=int(number))

    def _score(self, attempt: Attempt) -> None:
        """Note ranks that have become slow or fast again; pass on what was learnt."""
        for fields in straggler_events(attempt, self._flags):
            self.ledger.append("straggler", step=attempt.last_step, **fields)
        if attempt.has_learnt:
            attempt.has_learnt = False
            learnt = {name: round(value, 3) for name, value in attempt.rule.learnt().items()}
            for host in {rank.host for rank in attempt.alive}:
                self.links.send(host, "learnt", seconds=learnt)

    # Judging

    def _was_left(self) -> bool:
        """Whether all ranks ended well because one was asked to stop, before the end of the run."""
        began = next(e["time"] for e in reversed(self.ledger.refresh()) if e["kind"] == "attempt")
        return self.job.was_left(began)

    def _stopped(self, attempt: Attempt, asked: int, ends: Sequence[RankEnd]) -> int:
        is_saved = all(end.is_clean for end in ends)
        if is_saved and not self._was_left():
            self._note_end(attempt, outcome="finished")
            return EXIT_DONE
        outcome = "cancelled" if asked == signal.SIGINT else "asked to stop"
        self._note_end(attempt, outcome=outcome, root=root_end(ends))
        return self._code_of_stop()

    def _code_of_stop(self) -> int:
        return EXIT_CANCELLED if self.asked.number == signal.SIGINT else EXIT_REQUEUE

    def _note_end(
        self,
        attempt: Attempt,
        *,
        outcome: str,
        root: RankEnd | None = None,
        failure: Failure | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        latest = None
        try:
            latest = self.job.newest_checkpoint()
        except OSError as error:
            logger.warning("%s: the newest checkpoint is not known: %s", self.job.output, error)
        details = attempt_end(attempt, root=root, failure=failure, verdict=verdict)
        self.ledger.append(
            "attempt_end",
            step=max(attempt.last_step, 0),
            session=self.job.session,
            outcome=outcome,
            last_checkpoint=None if latest is None else latest.name,
            **details,
        )
        if root is not None and verdict is not None and failure is not None:
            logger.warning("attempt %d failed: %s", attempt.number, in_words(root, verdict))

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.asked.number is None and (left := until - time.monotonic()) > 0:
            self._pump(None, min(left, _LOOK_SECONDS))
