"""Start the ranks of a measurement as processes of this machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

import torch
import torch.multiprocessing as mp

from train.distributed.world import leave_process


def free_port() -> int:
    """A TCP port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def enter_rank(rank: int, num_ranks: int, port: int) -> None:
    """Set the variables that torchrun sets; one thread."""
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(num_ranks), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    torch.set_num_threads(1)


def run_ranks(measure: Callable[..., Any], *arguments: Any, num_ranks: int) -> Any:
    """Call `measure(rank, *arguments)` in each rank; what it returns in the first one."""
    results = mp.get_context("spawn").SimpleQueue()
    mp.spawn(  # type: ignore[attr-defined, no-untyped-call]
        _run, (measure, arguments, num_ranks, free_port(), results), nprocs=num_ranks
    )
    return results.get()


def _run(
    rank: int, measure: Callable[..., Any], arguments: tuple[Any, ...], num_ranks: int, port: int,
    results: Any,
) -> None:  # fmt: skip
    enter_rank(rank, num_ranks, port)
    found = measure(rank, *arguments)
    if rank == 0:
        results.put(found)
    leave_process()
