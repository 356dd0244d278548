"""Run a function on several gloo ranks.

The ranks are forked from a server process that has imported torch once for all tests.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable
from itertools import cycle, islice
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
    """Ports that nobody listens on, from a range of this test process alone.

    They lie below those that the kernel gives to sockets that ask for any: what is free now is free
    when ranks open it.
    """
    ports = list(islice(filter(_is_free, islice(_PORTS, _PORT_RANGE)), count))
    assert len(ports) == count, "too few ports are free"
    return ports


_PORT_RANGE = 2_000
_FIRST_PORT = 20_000 + _PORT_RANGE * int(
    os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
)
_PORTS = cycle(range(_FIRST_PORT, _FIRST_PORT + _PORT_RANGE))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


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
