"""How the ranks of an attempt ended, and which of these ends is the root of the others."""

from __future__ import annotations

import errno
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from train.report.patient_file import FULL_DISK
from train.supervisor.words import Words

_CRASHES = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP}
)
_REFUSED_WRITES = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@dataclass(frozen=True, kw_only=True)
class RankEnd:
    """How one rank ended.

    Attributes:
        at: Seconds of the supervisor's monotonic clock when it failed, or was seen to.
        section: What it was doing, at `step`.
        code: Its exit code; None where a signal ended it.
        signal: The signal that ended or stopped it.
        words: Its last words, where an error ended it.
        is_ours: Whether the supervisor ended it: this tells nothing.
        is_stopped: Whether it was found stopped.
        is_hung: Whether it is the odd one out of ranks that did not go on.
        is_lost: Whether its host is gone.
        kernel_kills: Processes that the kernel killed for memory on its host meanwhile.
    """

    rank: int
    host: str
    at: float
    section: str = "start"
    step: int = -1
    code: int | None = None
    signal: int | None = None
    words: Words | None = None
    is_ours: bool = False
    is_stopped: bool = False
    is_hung: bool = False
    is_lost: bool = False
    kernel_kills: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether the rank did its work and ended."""
        return self.code == 0 and self.words is None

    @property
    def is_cascade(self) -> bool:
        """Whether the end only says that something else failed before."""
        if self.is_stopped or self.is_hung or self.is_lost or self.words is None:
            return False
        is_told_elsewhere = "PipelineError" in self.words.bases and not self.words.message
        return is_told_elsewhere or (self.words.is_collective and self.words.number is None)


def root_end(ends: Sequence[RankEnd]) -> RankEnd | None:
    """The first end that no other explains; None where no rank failed by itself.

    A time-out or a broken connection in a collective is the root only where nothing else failed.
    """
    failed = [end for end in ends if not end.is_ours and not end.is_clean]
    roots = [end for end in failed if not end.is_cascade]
    return min(roots or failed, key=lambda end: end.at, default=None)


def cause_of(end: RankEnd) -> str:
    """The cause of an end, a key of `CAUSES`; from our own records, never from words of others."""
    if end.is_lost:
        return "host_lost"
    if end.is_stopped:
        return "stopped"
    if end.is_hung:
        return "hang"
    if end.words is not None:
        return _cause_of_words(end.words, end)
    return "exit" if end.signal is None else _cause_of_signal(end)


def _cause_of_signal(end: RankEnd) -> str:
    if end.signal == signal.SIGKILL:
        return "kernel_memory" if end.kernel_kills > 0 else "killed"
    return "crash" if end.signal in _CRASHES else "signal"


def _cause_of_words(words: Words, end: RankEnd) -> str:
    kinds = set(words.bases)
    by_number = (
        ("full_disk", FULL_DISK),
        ("port_in_use", {errno.EADDRINUSE}),
        ("read_only", _REFUSED_WRITES),
    )
    by_class = (
        ("settings", "SettingsError"),
        ("not_finite", "NotFiniteError"),
        ("bit_flip", "BitFlipError"),
        ("damaged_checkpoint", "CheckpointDamageError"),
        ("memory", "MemoryError"),
        ("device_memory", "OutOfMemoryError"),
    )
    if words.is_unrecoverable:
        return "unrecoverable"
    for cause, numbers in by_number:
        if words.number in numbers:
            return cause
    for cause, name in by_class:
        if name in kinds:
            return cause
    if "ContractError" in kinds:
        return "contract" if words.entity is None and end.section == "start" else "bad_data"
    if end.is_cascade:
        return "collective"
    return "exception" if words.entity is None else "at_position"
