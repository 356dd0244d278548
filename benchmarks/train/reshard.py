"""Checkpoints saved by each strategy and loaded by each other: the matrix, bit for bit or not.

    python -m benchmarks.train.reshard [--world 4]

`python -m train selftest --reshard` prints the same as a table.
"""

from __future__ import annotations

import time

from benchmarks.record import argument_parser, record
from benchmarks.train.ranks import run_ranks
from train.distributed.world import open_world
from train.selftest.reshard import RESHARD_FAMILY, reshard_cells


def measure(_: int) -> tuple[float, list[tuple[str, str, bool]]]:
    """Seconds, and (saved by, loaded by, bit for bit) of each pair of strategies."""
    with open_world(timeout_seconds=300) as world:
        started = time.perf_counter()
        cells = reshard_cells(world, RESHARD_FAMILY)
        seconds = time.perf_counter() - started
    return seconds, [(cell.source, cell.target, cell.passed) for cell in cells]


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--world", type=int, choices=(4, 8), default=4)
    size = parser.parse_args().world
    seconds, pairs = run_ranks(measure, num_ranks=size)
    strategies = list(dict.fromkeys(source for source, _, _ in pairs))
    record(
        "reshard",
        {
            "world": size,
            "seconds": round(seconds, 1),
            "strategies": strategies,
            "passed": sum(passed for _, _, passed in pairs),
            "failed": sum(not passed for _, _, passed in pairs),
            "loaded_whole": {
                source: [target for a, target, passed in pairs if a == source and passed]
                for source in strategies
            },
        },
    )


if __name__ == "__main__":
    main()
