"""Causes: recognised from exit codes, signals and fields of errors, never from free text."""

from __future__ import annotations

import errno
import signal
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ContractError, PipelineError, SettingsError
from train.checkpoint.index import CheckpointDamageError
from train.loop.sentinel import BitFlipError
from train.loop.trainer import NotFiniteError
from train.supervisor.ends import RankEnd, cause_of, root_end
from train.supervisor.words import Words, fingerprint


def end(rank: int = 0, at: float = 1.0, **fields: Any) -> RankEnd:
    return RankEnd(rank=rank, host="a", at=at, **fields)


def raised(error: BaseException) -> Words:
    try:
        raise error
    except BaseException as caught:
        return Words.of(caught)


LOST_PEER = Words(
    kind="RuntimeError",
    bases=("RuntimeError", "Exception"),
    message="Connection closed by peer",
    frame="train/distributed/world.py:sum",
    is_collective=True,
)


class OutOfMemoryError(RuntimeError):
    """Stands in for torch's, which is recognised by its name."""


class HopelessError(PipelineError):
    is_unrecoverable = True


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"signal": signal.SIGKILL}, "killed"),
        ({"signal": signal.SIGKILL, "kernel_kills": 1}, "kernel_memory"),
        ({"signal": signal.SIGSEGV}, "crash"),
        ({"signal": signal.SIGABRT}, "crash"),
        ({"signal": signal.SIGTERM}, "signal"),
        ({"signal": signal.SIGSTOP, "is_stopped": True}, "stopped"),
        ({"is_hung": True}, "hang"),
        ({"is_lost": True}, "host_lost"),
        ({"code": 7}, "exit"),
        ({"code": 1, "words": raised(MemoryError())}, "memory"),
        ({"code": 1, "words": raised(OutOfMemoryError("CUDA"))}, "device_memory"),
        ({"code": 1, "words": raised(OSError(errno.ENOSPC, "full"))}, "full_disk"),
        ({"code": 1, "words": raised(OSError(errno.EADDRINUSE, "used"))}, "port_in_use"),
        ({"code": 1, "words": raised(PermissionError(errno.EACCES, "no"))}, "read_only"),
        ({"code": 2, "words": raised(SettingsError("no such preset"))}, "settings"),
        ({"code": 1, "words": raised(NotFiniteError("nan", entity="step 3"))}, "not_finite"),
        ({"code": 1, "words": raised(BitFlipError("rank 1 differs"))}, "bit_flip"),
        ({"code": 3, "words": raised(ContractError("cut", entity="a.parquet"))}, "bad_data"),
        ({"code": 3, "words": raised(ContractError("of another run"))}, "contract"),
        ({"code": 3, "section": "data", "words": raised(ContractError("torn"))}, "bad_data"),
        ({"code": 3, "words": raised(CheckpointDamageError("cut", Path("step-4")))}, "damaged_checkpoint"),
        ({"code": 1, "words": raised(HopelessError("never"))}, "unrecoverable"),
        ({"code": 1, "words": raised(ValueError("odd"))}, "exception"),
        ({"code": 1, "words": raised(PipelineError("odd", entity="step 4"))}, "at_position"),
        ({"code": 1, "words": LOST_PEER}, "collective"),
        # Text that mentions a cause is none.
        ({"code": 1, "words": raised(ValueError("CUDA out of memory; No space left; SIGKILL"))}, "exception"),
    ],
)  # fmt: skip
def test_the_cause_of_an_end(fields: dict[str, Any], cause: str) -> None:
    assert cause_of(end(**fields)) == cause


def test_the_errno_of_the_error_behind_an_error_counts() -> None:
    try:
        raise PipelineError("3 saves in a row failed") from OSError(errno.ENOSPC, "full")
    except PipelineError as error:
        words = Words.of(error)

    assert cause_of(end(code=1, words=words)) == "full_disk"


def test_a_broken_connection_is_never_the_root_where_something_else_failed() -> None:
    survivor = end(0, at=1.0, code=1, words=LOST_PEER)
    dead = end(1, at=1.3, signal=signal.SIGKILL)

    assert root_end([survivor, dead]) is dead
    assert root_end([survivor]) is survivor


def test_an_error_that_another_rank_tells_is_not_the_root() -> None:
    silent = end(0, at=1.0, code=3, words=raised(ContractError()))
    told = end(1, at=1.1, code=3, words=raised(ContractError("shard is cut", entity="s")))

    assert root_end([silent, told]) is told


def test_of_two_roots_the_earlier_one_counts() -> None:
    late, early = end(0, at=2.0, signal=signal.SIGSEGV), end(1, at=1.0, code=1)

    assert root_end([late, early]) is early


def test_ranks_that_we_ended_and_ranks_that_ended_well_are_no_root() -> None:
    assert root_end([end(0, code=0), end(1, signal=signal.SIGKILL, is_ours=True)]) is None


def test_a_root_has_one_name_whatever_the_numbers_and_paths_in_its_message() -> None:
    one = raised(ValueError("rank 3 at 0x7f00aa: /scratch/a7/x.bin has 12.5 rows, port 29400"))
    two = raised(ValueError("rank 1 at 0x7fbb00: /scratch/b/y.bin has 9 rows, port 31111"))
    other = raised(ValueError("no rows"))

    assert fingerprint("exception", one) == fingerprint("exception", two)
    assert fingerprint("exception", one) != fingerprint("exception", other)
    assert fingerprint("killed", None) != fingerprint("crash", None)


def test_words_survive_the_way_to_the_supervisor() -> None:
    words = raised(NotFiniteError("nan", entity="step 3"))

    assert Words.from_dict(words.as_dict()) == words
    assert (words.entity, words.bases[:2]) == ("step 3", ("NotFiniteError", "PipelineError"))
