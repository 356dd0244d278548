"""Asynchronous SGD with a bounded staleness: servers hold the weights, workers come and go.

A worker pulls weights, computes a gradient and pushes it. An update is as stale as the number of
updates that were applied since its weights were pulled. A gradient that is staler than the bound is
refused: its worker pulls again. The rate of an update is divided by 1 + staleness (Zhang et al.
2016, staleness-aware async-SGD). With a bound of 0 the server gathers one gradient of each worker
and applies their mean: synchronous SGD.

The server is one thread per worker over TCP; it trusts its network, as gloo does. A worker that is
slow only makes its own gradients stale, one that dies is forgotten. Several servers each hold a
stretch of the parameters; a worker talks to all of them.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from schemas.errors import ContractError

_HEAD = struct.Struct("<qqq")
PULL, PUSH, STOP = 0, 1, 2
_APPLIED, _STALE = 1, 0


@dataclass(frozen=True, kw_only=True)
class AsyncConfig:
    """The contract of a server.

    Attributes:
        bound: Updates that may lie between pull and push; 0 is synchronous.
        workers: That a synchronous round waits for, as long as they live.
        lr: Rate of a fresh gradient.
    """

    bound: int
    workers: int
    lr: float
    momentum: float = 0.0


@dataclass
class Staleness:
    """What a server saw."""

    applied: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    lost_workers: int = 0


class ParameterServer:
    """Holds a flat stretch of weights; `serve` runs until its workers are gone."""

    def __init__(self, weights: Tensor, config: AsyncConfig) -> None:
        self.weights = weights.detach().clone()
        self.version = 0
        self.seen = Staleness()
        self._config = config
        self._velocity = torch.zeros_like(self.weights)
        self._round: dict[int, Tensor] = {}
        self._alive = config.workers
        self._changed = threading.Condition()

    def serve(self, listener: socket.socket) -> None:
        """Accept each worker once, answer until all have left."""
        threads = []
        for number in range(self._config.workers):
            connection, _ = listener.accept()
            thread = threading.Thread(target=self._answer, args=(connection, number), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()

    def _answer(self, connection: socket.socket, number: int) -> None:
        is_lost = True
        try:
            with connection:
                while True:
                    kind, version, _ = _HEAD.unpack(_receive(connection, _HEAD.size))
                    if kind == STOP:
                        is_lost = False
                        return
                    verdict = _APPLIED
                    if kind == PUSH:
                        gradient = _tensor(_receive(connection, 4 * self.weights.numel()))
                        verdict = self._push(number, gradient, version)
                    with self._changed:
                        head = _HEAD.pack(verdict, self.version, 0)
                        weights = self.weights.numpy().tobytes()
                    connection.sendall(head + weights)
        except OSError:
            pass  # the worker died: those that are left go on
        finally:
            self._leave(number, is_lost=is_lost)

    def _push(self, number: int, gradient: Tensor, version: int) -> int:
        with self._changed:
            if self._config.bound == 0:
                self._join_round(number, gradient)
                return _APPLIED
            staleness = self.version - version
            if staleness > self._config.bound:
                self.seen.refused += 1
                return _STALE
            self.seen.applied[staleness] += 1
            self._apply(gradient, self._config.lr / (1 + staleness))
            return _APPLIED

    def _join_round(self, number: int, gradient: Tensor) -> None:
        """Wait for the others' gradients of this version."""
        self._round[number] = gradient
        version = self.version
        self._close_round()
        while self.version == version:
            self._changed.wait()

    def _close_round(self) -> None:
        if self._round and len(self._round) >= self._alive:
            # In the order of the workers, not of arrival: sums of floats depend on it.
            total = sum(self._round[number] for number in sorted(self._round))
            assert isinstance(total, Tensor)
            self.seen.applied[0] += len(self._round)
            self._apply(total / len(self._round), self._config.lr)
            self._round.clear()
            self._changed.notify_all()

    def _apply(self, gradient: Tensor, rate: float) -> None:
        self._velocity.mul_(self._config.momentum).add_(gradient)
        self.weights.sub_(self._velocity, alpha=rate)
        self.version += 1

    def _leave(self, number: int, *, is_lost: bool) -> None:
        with self._changed:
            self._alive -= 1
            self.seen.lost_workers += is_lost
            self._close_round()


class Worker:
    """A model whose weights lie on servers, each of which has a stretch of them."""

    def __init__(
        self, model: nn.Module, addresses: Sequence[tuple[str, int]], *, timeout_seconds: float = 60
    ) -> None:
        self.model = model
        self._links = [socket.create_connection(a, timeout=timeout_seconds) for a in addresses]
        self._versions = [0] * len(self._links)
        self.refused = 0

    def step(self, loss_of: Callable[[nn.Module], Tensor]) -> float:
        """One gradient, computed again where it came too late."""
        while True:
            self._exchange(PULL, None)
            self.model.zero_grad(set_to_none=True)
            loss = loss_of(self.model)
            loss.backward()  # type: ignore[no-untyped-call]
            if self._exchange(PUSH, flat_gradient(self.model)):
                return float(loss.detach())
            self.refused += 1

    def close(self) -> None:
        """Take leave; a worker that does not is counted as lost."""
        for link in self._links:
            link.sendall(_HEAD.pack(STOP, 0, 0))
            link.close()

    def _exchange(self, kind: int, gradient: Tensor | None) -> bool:
        weights = flat_weights(self.model)
        stretches = stretch(weights.numel(), len(self._links))
        verdicts = []
        for number, (link, part) in enumerate(zip(self._links, stretches, strict=True)):
            data = b"" if gradient is None else gradient[part].numpy().tobytes()
            link.sendall(_HEAD.pack(kind, self._versions[number], 0) + data)
        for number, (link, part) in enumerate(zip(self._links, stretches, strict=True)):
            verdict, version, _ = _HEAD.unpack(_receive(link, _HEAD.size))
            size = part.stop - part.start
            weights[part] = _tensor(_receive(link, 4 * size))
            verdicts.append(verdict == _APPLIED)
            self._versions[number] = version
        write_weights(self.model, weights)
        return all(verdicts)


def stretch(size: int, servers: int) -> list[slice]:
    """Equal stretches of a flat tensor."""
    each = -(-size // servers)
    return [slice(start, min(start + each, size)) for start in range(0, each * servers, each)]


def flat_weights(model: nn.Module) -> Tensor:
    """All parameters as one fp32 vector, in their order."""
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()]).float()


def flat_gradient(model: nn.Module) -> Tensor:
    """All gradients as one fp32 vector."""
    parts = [p.grad if p.grad is not None else torch.zeros_like(p) for p in model.parameters()]
    return torch.cat([part.detach().reshape(-1) for part in parts]).float()


@torch.no_grad()
def write_weights(model: nn.Module, flat: Tensor) -> None:
    """Put a flat vector back into the parameters."""
    start = 0
    for parameter in model.parameters():
        end = start + parameter.numel()
        parameter.copy_(flat[start:end].view_as(parameter))
        start = end


def _receive(link: socket.socket, size: int) -> bytearray:
    data = bytearray()
    while len(data) < size:
        piece = link.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise ConnectionError(f"the other side left after {len(data)} of {size} bytes")
        data += piece
    return data


def _tensor(data: bytearray) -> Tensor:
    if len(data) % 4:
        raise ContractError(f"{len(data)} bytes are no fp32 tensor")
    return torch.frombuffer(data, dtype=torch.float32) if data else torch.zeros(0)
