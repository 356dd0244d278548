"""A connection between two processes over gloo that may break without harming any other one.

A process group of all ranks fails as a whole when one of them dies. Here each pair of processes has
a group of its own, so the death of a worker is an error of its link alone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol

from torch import Tensor
from torch.distributed import (  # type: ignore[attr-defined] # public, not in __all__
    PrefixStore,
    ProcessGroupGloo,
    Store,
)

_RANK_OF_END = {"server": 0, "worker": 1}


class Link(Protocol):
    """One end of a connection over which tensors go one after the other."""

    def send(self, tensor: Tensor) -> None:
        """Send a tensor; the other end must know its shape and type."""

    def receive(self, tensor: Tensor) -> Tensor:
        """Fill a contiguous tensor with the next one that was sent, and return it."""


class GlooLink:
    """One end of a pair of processes; both ends meet at a store under one name."""

    def __init__(self, store: Store, name: str, *, end: str, timeout_seconds: float) -> None:
        """Wait for the other end.

        Raises:
            ConnectionError: It did not come in time.
        """
        self._rank = _RANK_OF_END[end]
        try:
            self._group: Any = ProcessGroupGloo(
                PrefixStore(name, store), self._rank, 2, timedelta(seconds=timeout_seconds)
            )
        except RuntimeError as error:
            raise ConnectionError(f"{name}: the other end did not come: {error}") from error

    def send(self, tensor: Tensor) -> None:
        """Send a tensor; the other end must know shape and type.

        Raises:
            ConnectionError: The other process is gone.
        """
        try:
            # gloo reads the bytes as they lie: strided ones would arrive in another order.
            self._group.send([tensor.contiguous()], 1 - self._rank, 0).wait()
        except RuntimeError as error:
            raise ConnectionError(str(error)) from error

    def receive(self, tensor: Tensor) -> Tensor:
        """Fill a contiguous tensor.

        Raises:
            ConnectionError: The other process is gone, or silent for longer than the timeout.
        """
        try:
            self._group.recv([tensor], 1 - self._rank, 0).wait()
        except RuntimeError as error:
            raise ConnectionError(str(error)) from error
        return tensor
