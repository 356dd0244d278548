"""What this package adds to torchrun, through its entry points (`torchrun.handlers` in pyproject.toml).

torchrun passes SIGTERM on to the ranks, waits 30 seconds, kills them, and ends with a traceback and exit code 1
whatever they did. A scheduler takes that for a failure. Where torchrun runs `-m train`, it waits ten minutes, and ends with 0
if all ranks of its node saved and ended with 0. Every other use of torchrun stays as it is.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

_TIMEOUT_VARIABLE, _TIMEOUT_SECONDS = "TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "600"
_STOPS = (signal.SIGTERM, signal.SIGINT)

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], Any]


def register() -> Callable[[Any], NoReturn]:
    """Called by torchrun before it reads its settings.

    Returns:
        What torchrun asks of an entry point, a maker of rendezvous; ours makes none.
    """
    if launches_train(sys.argv):
        os.environ.setdefault(_TIMEOUT_VARIABLE, _TIMEOUT_SECONDS)
        sys.excepthook = ending_well(sys.excepthook)
    return _no_rendezvous


def launches_train(arguments: list[str]) -> bool:
    """Whether these are the arguments of a torchrun whose ranks are `python -m train`."""
    program, *rest = arguments or [""]
    is_torchrun = Path(program).name == "torchrun" or program.endswith("torch/distributed/run.py")
    pairs = pairwise(rest)
    return is_torchrun and any(pair in (("-m", "train"), ("--module", "train")) for pair in pairs)


def ending_well(otherwise: Hook) -> Hook:
    """A hook that ends torchrun with 0 where it was asked to stop and its ranks ended with 0."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if getattr(error, "sigval", None) not in _STOPS or set(exit_codes(trace)) != {0}:
            otherwise(kind, error, trace)
            return
        print("torchrun: asked to stop; all ranks saved and ended", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # a hook cannot change the exit code otherwise

    return hook


def exit_codes(trace: TracebackType | None) -> list[int | None]:
    """Exit codes of the ranks of the agent in whose frames an exception rose; empty where not known."""
    while trace is not None:
        agent = trace.tb_frame.f_locals.get("agent")
        handlers = getattr(getattr(agent, "_pcontext", None), "subprocess_handlers", None)
        if handlers:
            return [handler.proc.poll() for handler in handlers.values()]
        trace = trace.tb_next
    return []


def _no_rendezvous(parameters: Any) -> NoReturn:
    raise ValueError("pretrain-refinery is no rendezvous backend; use --rdzv-backend c10d")
