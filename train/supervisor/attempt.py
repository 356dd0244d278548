"""One attempt as the supervisor sees it: where each rank is, and how it ended."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from train.sections import TOLD_OF_GENERATION
from train.supervisor.config import SupervisionConfig
from train.supervisor.ends import RankEnd
from train.supervisor.rank import stack_path
from train.supervisor.stragglers import StragglerMeter
from train.supervisor.watch import HangRule, busy_by_stack, odd_ones_out
from train.supervisor.wire import Message
from train.supervisor.words import Words


@dataclass(kw_only=True)
class RankState:
    """Where a rank is.

    Attributes:
        told: Number of sections that it has told of.
        since: When it came into its section, or was continued in it.
        entered_at: When it came into its section: what it takes counts whole, stops included.
        ended_at: When it ended.
        stopped_at: Since when it is stopped.
        stayed_stopped_at: The same, where it was stopped for too long.
        sentenced: Whether the supervisor is ending it.
        is_replaced: Whether the others have taken over what it did, and go on.
    """

    rank: int
    host: str
    since: float
    section: str = "start"
    step: int = -1
    told: int = 0
    entered_at: float | None = None
    pid: int | None = None
    words: Words | None = None
    words_at: float = 0.0
    ended_at: float | None = None
    code: int | None = None
    signal: int | None = None
    stopped_at: float | None = None
    stayed_stopped_at: float | None = None
    kernel_kills: int = 0
    sentenced: bool = False
    is_hung: bool = False
    is_lost: bool = False
    is_replaced: bool = False
    stops: int = 0

    @property
    def is_alive(self) -> bool:
        return self.ended_at is None

    def end(self, now: float) -> RankEnd:
        """How it ended, or that it did not go on."""
        is_stopped = self.stayed_stopped_at is not None
        at = self.ended_at
        if is_stopped or self.is_hung:
            at = self.stayed_stopped_at if is_stopped else self.since
        elif self.words is not None:
            at = self.words_at
        is_own_end = is_stopped or self.is_hung or self.is_lost or not self.sentenced
        return RankEnd(
            rank=self.rank,
            host=self.host,
            at=now if at is None else at,
            section=self.section,
            step=self.step,
            code=self.code,
            signal=signal.SIGSTOP if is_stopped else None if self.sentenced else self.signal,
            words=None if is_stopped or self.is_hung else self.words,
            is_ours=not is_own_end and self.words is None,
            is_stopped=is_stopped,
            is_hung=self.is_hung,
            is_lost=self.is_lost,
            kernel_kills=self.kernel_kills,
        )


@dataclass(kw_only=True)
class Attempt:
    """All ranks of one attempt.

    Attributes:
        first_step_at: When the first step was done.
        noticed_at: When the supervisor saw that a rank had failed.
        is_unsure: Whether all ranks wait at one point of the sections, so that only their stacks can tell
            which of them hangs.
        generation: How often the others went on without a lost rank.
        suspects: Hosts that were made suspect meanwhile.
        short_since_step: Step of the newest published checkpoint when it began, or was last left by a rank.
        makes_room: Whether its ranks were asked to save and leave, so that the next attempt has more of them.
        has_learnt: Whether a section took longer than any before, since this was last asked.
    """

    number: int
    started: float
    rule: HangRule
    ranks: dict[int, RankState] = field(default_factory=dict)
    meter: StragglerMeter = field(default_factory=StragglerMeter)
    first_step_at: float | None = None
    noticed_at: float | None = None
    has_learnt: bool = False
    is_unsure: bool = False
    generation: int = 0
    suspects: list[str] = field(default_factory=list)
    short_since_step: int | None = None
    makes_room: bool = False
    _replaced_last: list[RankState] = field(default_factory=list)

    @classmethod
    def begin(
        cls, number: int, config: SupervisionConfig, learnt: Mapping[str, float], now: float
    ) -> Attempt:
        """An attempt without ranks.

        Args:
            number: Counts the attempts of the run, from 0.
            config: Floors of the time-outs.
            learnt: Longest seconds by section that earlier attempts saw.
            now: The supervisor's clock.
        """
        return cls(number=number, started=now, rule=HangRule(config=config, before=learnt))

    def take(self, message: Message, at: float) -> None:
        """Note what an agent tells of a rank.

        Args:
            message: What it tells.
            at: When that was, by the supervisor's clock.
        """
        rank = self.ranks.get(message.get("rank", -1))
        if rank is None:
            return
        match message["tell"]:
            case "spawned":
                rank.pid = message["pid"]
            # What a rank does while it is being ended says nothing of where it failed.
            case "section" if self.noticed_at is None:
                self._enter(rank, message, at)
            case "words":
                rank.words, rank.words_at = Words.from_dict(message["words"]), at
            case "stopped":
                rank.stopped_at, rank.stops = at, rank.stops + 1
            case "continued":
                rank.stopped_at = None
                rank.since = at  # it could not go on while it was stopped
            case "exit" if rank.is_alive:
                rank.ended_at, rank.code, rank.signal = at, message["code"], message["signal"]
                rank.kernel_kills = message["kernel_kills"]
                rank.stopped_at = None

    def _enter(self, rank: RankState, message: Message, at: float) -> None:
        seconds = at - (rank.since if rank.entered_at is None else rank.entered_at)
        self.has_learnt |= self.rule.observe(rank.section, seconds, rank.step)
        self.meter.add(rank.rank, rank.section, rank.step, seconds)
        step = message["step"]
        if self.first_step_at is None and message["section"] == "step":
            self.first_step_at = at
        rank.section, rank.step, rank.told = message["section"], step, message["told"]
        rank.since = rank.entered_at = at

    @property
    def alive(self) -> list[RankState]:
        return [rank for rank in self.ranks.values() if rank.is_alive]

    @property
    def last_step(self) -> int:
        """The newest step that a rank has come to; -1 before the first."""
        return max((rank.step for rank in self.ranks.values()), default=-1)

    @property
    def members(self) -> list[RankState]:
        """The ranks that the attempt goes on with, or ended with."""
        return [rank for rank in self.ranks.values() if not rank.is_replaced]

    @property
    def is_settled(self) -> bool:
        """Whether all ranks go on that were told to go on without a lost one."""
        return all(rank.told >= self.generation * TOLD_OF_GENERATION for rank in self.members)

    @property
    def is_under_way(self) -> bool:
        """Whether all its ranks step, and none was asked to leave."""
        is_whole = all(rank.is_alive for rank in self.members)
        return (
            not self.makes_room and self.first_step_at is not None and is_whole and self.is_settled
        )

    def replace(self, left: Sequence[RankState], now: float) -> None:
        """Go on with the ranks that are left; what they do from now on is measured from now on."""
        self._replaced_last = [rank for rank in self.members if rank not in left]
        self.generation += 1
        for rank in self._replaced_last:
            rank.is_replaced = True
        for rank in left:
            rank.since = now

    def undo_replacing(self) -> None:
        """Where the others could not go on, the lost ranks of before are the root of their ends."""
        if not self.is_settled:
            for rank in self._replaced_last:
                rank.is_replaced = False

    def failed(self) -> list[RankState]:
        """The ranks that ended otherwise than well, or that do not go on."""
        return [
            rank
            for rank in self.members
            if rank.is_lost
            or rank.is_hung
            or rank.stayed_stopped_at is not None
            or (not rank.is_alive and (rank.code != 0 or rank.words is not None))
        ]

    def has_failed(self) -> bool:
        """Whether a rank ended otherwise than well."""
        return any(not rank.is_alive for rank in self.failed())

    def has_lost(self) -> bool:
        """Whether the host of a rank is gone."""
        return any(rank.is_lost for rank in self.members)

    def stopped_longer(self, now: float, seconds: float) -> bool:
        """Mark the ranks that have been stopped for longer; returns whether there are any."""
        for rank in self.alive:
            if rank.stopped_at is not None and now - rank.stopped_at > seconds:
                rank.stayed_stopped_at = rank.stopped_at
        return any(rank.stayed_stopped_at is not None for rank in self.alive)

    def find_hung(self, now: float) -> bool:
        """Mark the ranks that the others wait for, where one is overdue; returns whether one is."""
        alive = self.alive
        if not any(now - one.since > self.rule.limit(one.section, one.step) for one in alive):
            return False
        odd = odd_ones_out(alive)
        self.is_unsure = not odd
        self.name_hung(odd or [min(alive, key=lambda one: one.since).rank])
        return True

    def name_by_stacks(self, folder: Path) -> None:
        """Where the sections do not tell ranks apart, name those whose stacks are in no collective."""
        if not self.is_unsure:
            return
        stacks = {}
        for rank in self.ranks:
            with suppress(OSError):
                text = stack_path(folder, rank).read_text(encoding="utf-8", errors="replace")
                stacks[rank] = text
        busy = busy_by_stack(stacks)
        if busy:
            self.name_hung(busy)

    def name_hung(self, numbers: Sequence[int]) -> None:
        """Name the ranks that hang, and no others."""
        for rank in self.ranks.values():
            rank.is_hung = rank.rank in numbers
