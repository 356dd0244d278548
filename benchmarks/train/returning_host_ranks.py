"""The agent of a run whose steps last a little, and whose host dies in one where the file that CHAOS_PLAN names says so.

    python -m benchmarks.train.returning_host_ranks AGENT_ARGUMENTS

is `python -m train supervise` for `benchmarks.train.returning_host`, which starts it.
"""

from __future__ import annotations

import sys
import time

from benchmarks.record import argument_parser
from benchmarks.train.chaos_faults import strike
from schemas.errors import run_main
from train import sections
from train.commands import supervise

_STEP_SECONDS = 0.15


def follow(section: str, step: int) -> None:
    """Let a step last long enough that a host can come back before the run is over."""
    if section == "step":
        time.sleep(_STEP_SECONDS)
    strike(section, step)


def main(argv: list[str] | None = None) -> int:
    """The verb, with slow steps and faults."""
    parser = argument_parser(__doc__)
    supervise.add_arguments(parser)
    args = parser.parse_args(argv)
    sections.observe(follow)
    return supervise.supervise(
        args, [sys.executable, "-m", "benchmarks.train.returning_host_ranks"]
    )


if __name__ == "__main__":
    run_main(main)
