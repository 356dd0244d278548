"""What workers and parameter servers send each other, as tensors of known sizes.

A worker sends a `Request`; where it pushes, a packed `Tally` and the server's stretch of the gradient
follow. The server answers with an `AnswerHead`, its stretch of the weights and, to a READ, that of
the momentum.

Shapes: K sums that a worker's loss meter packs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor


class RequestKind(IntEnum):
    """What a worker asks of a server."""

    PULL = 0  # the weights as they are
    PUSH = 1  # apply a gradient, then answer as to PULL
    STOP = 2  # nothing: the worker leaves
    READ = 3  # weights and momentum of a version or a later one


@dataclass(frozen=True, kw_only=True)
class Request:
    """The beginning of what a worker sends.

    Attributes:
        version: For PUSH, the number of updates in the weights that the gradient was computed at;
            for READ, the number of updates to wait for.
    """

    kind: RequestKind
    version: int = 0

    def pack(self) -> Tensor:
        return torch.tensor([self.kind, self.version])

    @classmethod
    def unpack(cls, packed: Tensor) -> Request:
        kind, version = packed.tolist()
        return cls(kind=RequestKind(kind), version=version)

    @classmethod
    def buffer(cls) -> Tensor:
        """A tensor to receive a packed request in."""
        return torch.zeros(2, dtype=torch.int64)


@dataclass(frozen=True, kw_only=True)
class AnswerHead:
    """The beginning of an answer.

    Attributes:
        is_applied: Whether the gradient was applied; False where it came too late. True where none
            was pushed.
        version: Number of updates in the weights that follow.
        should_leave: Whether workers should leave the run.
    """

    is_applied: bool
    version: int
    should_leave: bool

    def pack(self) -> Tensor:
        return torch.tensor([int(self.is_applied), self.version, int(self.should_leave)])

    @classmethod
    def unpack(cls, packed: Tensor) -> AnswerHead:
        is_applied, version, should_leave = packed.tolist()
        return cls(is_applied=bool(is_applied), version=version, should_leave=bool(should_leave))

    @classmethod
    def buffer(cls) -> Tensor:
        """A tensor to receive a packed head in."""
        return torch.zeros(3, dtype=torch.int64)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a gradient is a sum over, and what its worker counted meanwhile.

    Attributes:
        labels: Number of labels that the gradient is a sum over.
        waited_seconds: Time that the worker waited for rows.
        sums: [K] float64, the worker's packed `StepSums`; servers add them up unread.
    """

    labels: float
    waited_seconds: float
    sums: Tensor

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            labels=self.labels + other.labels,
            waited_seconds=self.waited_seconds + other.waited_seconds,
            sums=self.sums + other.sums,
        )

    def pack(self) -> Tensor:
        head = torch.tensor([self.labels, self.waited_seconds], dtype=torch.float64)
        return torch.cat([head, self.sums])

    @classmethod
    def unpack(cls, packed: Tensor) -> Tally:
        labels, waited_seconds = packed[:2].tolist()
        return cls(labels=labels, waited_seconds=waited_seconds, sums=packed[2:])

    @classmethod
    def buffer(cls, num_sums: int) -> Tensor:
        """A tensor to receive a packed tally of K = `num_sums` in."""
        return torch.zeros(2 + num_sums, dtype=torch.float64)
