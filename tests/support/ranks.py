"""Run a function on several gloo ranks.

The ranks are forked from a server process that has imported torch once for all tests.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable
from typing import Any

import torch
import torch.multiprocessing as mp

from train.distributed.world import leave_process


def run_on_ranks(function: Callable[..., None], ranks: int, *args: Any) -> None:
    """Start `ranks` processes that each call `function(*args)` with torchrun's environment set."""
    (port,) = free_ports(1)
    multiprocessing.set_forkserver_preload(
        ["torch", "train.loop.run", "train.parameter_server.run"]
    )
    mp.start_processes(  # type: ignore[attr-defined, no-untyped-call]
        _enter, (function, ranks, port, args), nprocs=ranks, start_method="forkserver"
    )


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _enter(
    rank: int, function: Callable[..., None], ranks: int, port: int, args: tuple[Any, ...]
) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(ranks),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )
    torch.set_num_threads(1)
    function(*args)
    leave_process()
