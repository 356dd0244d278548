"""Run a function on several gloo ranks."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

import torch
import torch.multiprocessing as mp

from train.parallel.world import leave_process


def run_on_ranks(function: Callable[..., None], ranks: int, *args: Any) -> None:
    """Spawn `ranks` processes that each call `function(*args)` with torchrun's environment set."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    mp.spawn(_enter, (function, ranks, port, args), nprocs=ranks, join=True)


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
