"""Which hosts work: failures are counted by host, and only evidence takes one out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

HostState = Literal["works", "suspect", "excluded", "lost"]
_SUSPECT_FAILURES, _RECENT_ATTEMPTS, _RECENT_SECONDS = 3, 4, 600.0


@dataclass(kw_only=True)
class HostBook:
    """What is known of each host.

    Attributes:
        hosts: By preference: those that work first, then the spares; who comes later is the last.
        wanted: Number of hosts that the run is to have.
    """

    hosts: list[str]
    wanted: int
    states: dict[str, HostState] = field(default_factory=dict)
    _failures: list[tuple[str | None, float]] = field(default_factory=list)
    _losses: list[tuple[str, float]] = field(default_factory=list)

    def state(self, host: str) -> HostState:
        return self.states.get(host, "works")

    def usable(self) -> list[str]:
        """The hosts of the next attempt; a spare stands in for each that is gone."""
        left = [host for host in self.hosts if self.state(host) in ("works", "suspect")]
        return left[: self.wanted]

    def note(self, host: str | None, at: float) -> bool:
        """Count an attempt that failed first on a host; returns whether this makes it suspect.

        Args:
            host: None where the failure says nothing of hosts.
            at: Seconds of the monotonic clock.
        """
        self._failures.append((host, at))
        recent = self._failures[-_RECENT_ATTEMPTS:]
        count = sum(one == host and at - then <= _RECENT_SECONDS for one, then in recent)
        if host is None or count < _SUSPECT_FAILURES or self.state(host) != "works":
            return False
        self.states[host] = "suspect"
        return True

    def examined(self, host: str, faults: Sequence[str]) -> HostState:
        """Take a suspect out if its examination found faults; else it works on."""
        if self.state(host) == "suspect":
            self.states[host] = "excluded" if faults else "works"
        if not faults:
            self._failures = [(one, at) for one, at in self._failures if one != host]
        return self.state(host)

    def lost(self, host: str, at: float) -> None:
        """The host's agent is gone.

        Args:
            at: Seconds of the monotonic clock.
        """
        self.states[host] = "lost"
        self._losses.append((host, at))

    def joined(self, host: str) -> bool:
        """Take in a host that came late, or came back; returns whether it is new to the run.

        It stands behind the others: whoever stands in for it goes on.
        """
        if host in self.hosts and self.state(host) != "lost":
            return False
        if host in self.hosts:
            self.hosts.remove(host)
        self.hosts.append(host)
        self.states[host] = "works"
        return True

    def is_steady(self, host: str, at: float) -> bool:
        """Whether it has not come and gone again and again: for such a one no attempt is left."""
        losses = sum(one == host and at - then <= _RECENT_SECONDS for one, then in self._losses)
        return losses < _SUSPECT_FAILURES
