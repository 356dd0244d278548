"""Checkpoints saved by each strategy and loaded by each other: the matrix, bit for bit or not.

    python -m benchmarks.train.reshard [WORLD] > benchmarks/results/reshard.json

WORLD is 4 (the default) or 8. `python -m train selftest --reshard` prints the same as a table.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from typing import Any

import torch
import torch.multiprocessing as mp

from train.distributed.world import leave_process, open_world
from train.selftest.reshard import RESHARD_FAMILY, reshard_cells


def measure(rank: int, size: int, port: int, results: Any) -> None:
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    torch.set_num_threads(1)
    with open_world(timeout_seconds=300) as world:
        started = time.perf_counter()
        cells = reshard_cells(world, RESHARD_FAMILY)
        seconds = time.perf_counter() - started
    if rank == 0:
        results.put((seconds, [(cell.source, cell.target, cell.passed) for cell in cells]))
    leave_process()


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    results = mp.get_context("spawn").SimpleQueue()
    mp.spawn(measure, (size, port, results), nprocs=size)
    seconds, pairs = results.get()
    strategies = list(dict.fromkeys(source for source, _, _ in pairs))
    print(
        json.dumps(
            {
                "benchmark": "reshard",
                "world": size,
                "torch": torch.__version__,
                "seconds": round(seconds, 1),
                "strategies": strategies,
                "passed": sum(passed for _, _, passed in pairs),
                "failed": sum(not passed for _, _, passed in pairs),
                "loaded_whole": {
                    source: [target for a, target, passed in pairs if a == source and passed]
                    for source in strategies
                },
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
