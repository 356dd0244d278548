"""Calls of the user's own functions in a child process: one that never ends costs its document alone.

A call gets a batch of documents in an interpreter of its own, as it may use threads or a GPU. Where it goes beyond a limit, or its process ends, the child is replaced
and `run_each` tries the documents one by one. The child lives as long as the worker, so a model that a
function keeps is loaded once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from refinery.clean.guard import Guard
from refinery.clean.guarded_child import Failed, Killed, Limits, start_child
from refinery.publish.own_code import FAILED, OwnCodeError, OwnCodeLimits
from refinery.quality.scorers import Scorer
from schemas.own_code import exception_in_words

# What the guard says of parsers, as reasons of the user's own code.
_REASONS = {
    "guard:timeout": "python:timeout",
    "guard:memory": "python:memory",
    "guard:crash": "python:crash",
}


@dataclass(frozen=True)
class _Request:
    call: Callable[[Sequence[Any]], Sequence[Any]]
    items: Sequence[Any]


@dataclass(frozen=True)
class _Raised:
    message: str


def _serve(request: _Request) -> list[Any] | _Raised:
    """Runs in the child."""
    try:
        return list(request.call(request.items))
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:  # whatever the user's code raises, an end of the process too
        return _Raised(exception_in_words(error))


class OwnCalls:
    """Runs calls in one child with limits."""

    def __init__(self, limits: OwnCodeLimits) -> None:
        self._guard: Guard[_Request, list[Any] | _Raised] = Guard(
            _serve,
            Limits(
                cpu_seconds=limits.cpu_seconds,
                wall_seconds=limits.wall_seconds,
                resident_bytes=limits.memory_bytes,
            ),
            start_child,
        )

    def run(self, call: Callable[[Sequence[Any]], Sequence[Any]], items: Sequence[Any]) -> Any:
        """What the call returns for the items; both travel to the child.

        Raises:
            OwnCodeError: It raised, or was stopped; the reason says which.
        """
        (outcome,) = self._guard.map([_Request(call, items)])
        if isinstance(outcome, _Raised):
            raise OwnCodeError(FAILED, outcome.message)
        if isinstance(outcome, Killed):
            message = outcome.message.replace("the parser's process", "its process")
            raise OwnCodeError(_REASONS.get(outcome.reason, FAILED), message)
        if isinstance(outcome, Failed):  # an answer that cannot travel back
            raise OwnCodeError(FAILED, outcome.message)
        return outcome

    def close(self) -> None:
        self._guard.close()


@dataclass(frozen=True)
class GuardedScorer:
    """A scorer of the user's own, called in the child."""

    scorer: Scorer
    calls: OwnCalls

    def score(self, texts: Sequence[str]) -> list[float]:
        scores: list[float] = self.calls.run(self.scorer.score, texts)
        return scores


_Key = tuple[OwnCodeLimits, tuple[str, ...], str, tuple[str, ...]]
_shared: dict[_Key, OwnCalls] = {}


def own_calls(limits: OwnCodeLimits, names: Sequence[str]) -> OwnCalls:
    """The child of this process for these functions, as they are found now; a former one ends."""
    key = (limits, tuple(names), os.getcwd(), tuple(sys.path))
    if key not in _shared:
        for former in _shared.values():
            former.close()
        _shared.clear()
        _shared[key] = OwnCalls(limits)
    return _shared[key]
