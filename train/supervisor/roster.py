"""The hosts of a run as they come, stand by, fail, are examined and go; each change is an event."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.errors import PipelineError
from train.report.events import EventLog
from train.supervisor.attempt import Attempt
from train.supervisor.hosts import HostBook
from train.supervisor.job import Job
from train.supervisor.links import AgentLink, AgentLinks

logger = logging.getLogger(__name__)

_SNIFF_SECONDS = 60.0


@dataclass(kw_only=True)
class Roster:
    """Who works, and who could.

    Attributes:
        restart_agent: Starts the agent of a host of this machine anew; returns False for other hosts.
        pump: Takes in for a moment what the agents tell.
        sniffed: Faults by host, of those that were examined.
    """

    book: HostBook
    links: AgentLinks
    ledger: EventLog
    job: Job
    restart_agent: Callable[[str], bool]
    pump: Callable[[], None]
    sniffed: dict[str, list[str]] = field(default_factory=dict)
    _came: set[str] = field(default_factory=set)
    _refused_size: int | None = None

    def ready(self, *, seconds: float, is_asked: Callable[[], bool]) -> list[str]:
        """The hosts of the next attempt, their agents ready; one that does not become ready is lost."""
        while True:
            hosts = self.book.usable()
            until = time.monotonic() + seconds
            while time.monotonic() < until and not is_asked():
                waiting = [
                    h for h in hosts if (link := self.links.by_host.get(h)) and not link.is_ready
                ]
                if not waiting:
                    break
                self.pump()
            missing = [host for host in hosts if not self._is_ready(host)]
            if not missing or is_asked():
                self._came.clear()
                return hosts
            for host in missing:
                self.lose(host)

    def _is_ready(self, host: str) -> bool:
        link = self.links.by_host.get(host)
        return link is not None and link.is_ready

    def address(self, host: str) -> str:
        link = self.links.by_host.get(host)
        return "127.0.0.1" if link is None else link.address

    def allows_more(self, attempt: Attempt) -> bool:
        """Whether the run would have more ranks if its attempt ended in good order now.

        A host that came, or that stood by while a rank was lost, is worth that at once. Where only ranks are
        lost, or a host has come and gone again and again, the next published checkpoint is awaited.
        """
        hosts = [host for host in self.book.usable() if self._is_ready(host)]
        size = len(hosts) * self.job.ranks_per_host
        if size <= len(attempt.members) or size == self._refused_size:
            return False
        now = time.monotonic()
        worked = {rank.host for rank in attempt.ranks.values()}
        is_worth_it = any(
            (host in self._came or host not in worked) and self.book.is_steady(host, now)
            for host in hosts
        )
        if not is_worth_it and self.job.published_steps() == attempt.short_since_step:
            return False
        try:
            self.job.refuse(size)
        except PipelineError as error:
            self._refused_size = size
            logger.warning("%d ranks could work, and cannot: %s", size, error)
            return False
        return True

    def welcome(self, link: AgentLink) -> None:
        """An agent is ready: it may be of a host that came late, or came back."""
        host = link.host
        if self.book.state(host) == "excluded":
            faults = "; ".join(self.sniffed.get(host, [])) or "its examination"
            self.links.refuse(link, f"host {host} was taken out: {faults}")
        elif self.book.joined(host):
            self._came.add(host)
            role = "works from the next attempt on" if host in self.book.usable() else "stands by"
            self.ledger.append("host", step=0, host=host, state="joined", evidence=[role])
            logger.info("host %s joined: it %s", host, role)

    def note_absent(self, host: str, evidence: str) -> None:
        """A host that was to stand by is not there; the run begins without it."""
        self.ledger.append("host", step=0, host=host, state="absent", evidence=[evidence])

    def examine(self, host: str) -> None:
        """Examine a suspect; only a fault that is shown takes it out."""
        self.ledger.append("host", step=0, host=host, state="suspect")
        self.sniffed.pop(host, None)
        self.links.send(host, "sniff")
        until = time.monotonic() + _SNIFF_SECONDS
        while host not in self.sniffed and host in self.links.by_host and time.monotonic() < until:
            self.pump()
        faults = self.sniffed.get(host, [f"did not answer within {_SNIFF_SECONDS:.0f} s"])
        state = self.book.examined(host, faults)
        self.ledger.append("host", step=0, host=host, state=state, evidence=faults)
        if state == "excluded":
            logger.warning("host %s is taken out: %s", host, "; ".join(faults))

    def lose(self, host: str) -> None:
        """Give a host up that does not answer."""
        link = self.links.by_host.get(host)
        if link is not None:
            self.links.drop(link)
        self.replace(host)

    def replace(self, host: str) -> None:
        """Start the agent anew where that is in our hands; else the host is lost."""
        if self.book.state(host) in ("lost", "excluded") or self.restart_agent(host):
            return
        self.book.lost(host, time.monotonic())
        self.ledger.append("host", step=0, host=host, state="lost")
        logger.warning("host %s is lost", host)
