"""The agent of a run whose ranks die where the file that CHAOS_PLAN names says.

    python -m benchmarks.train.take_over_ranks AGENT_ARGUMENTS

is `python -m train supervise` with the places of `benchmarks.train.take_over`, which starts it.
"""

from __future__ import annotations

import sys

from benchmarks.record import argument_parser
from benchmarks.train.take_over import strike_within_steps
from schemas.errors import run_main
from train.commands import supervise


def main(argv: list[str] | None = None) -> int:
    """The verb, with faults."""
    parser = argument_parser(__doc__)
    supervise.add_arguments(parser)
    args = parser.parse_args(argv)
    strike_within_steps()
    return supervise.supervise(args, [sys.executable, "-m", "benchmarks.train.take_over_ranks"])


if __name__ == "__main__":
    run_main(main)
