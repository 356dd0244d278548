"""Asynchronous SGD with a bounded staleness: servers hold the weights, workers come and go.

A worker has weights, computes a gradient and pushes it; the answer holds fresh weights. An update is
as stale as the number of updates that were applied since its weights were read. A gradient that is
staler than the bound is refused: its worker computes it again. The rate of an update is divided by
1 + staleness (Zhang et al. 2016, staleness-aware async-SGD). With a bound of 0 the server gathers
one gradient of each worker and applies their sum over their labels: synchronous SGD.

The server has one thread and one gloo link per worker. A worker that is slow only makes its own
gradients stale, one that dies is forgotten. Several servers each hold a stretch of the parameters;
a worker talks to all of them.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from train.distributed.flat_vectors import flat_gradient, flat_weights, write_weights
from train.distributed.links import GlooLink

PULL, PUSH, STOP, READ = 0, 1, 2, 3
_APPLIED, _STALE = 1, 0
# An answer begins with: verdict, version, whether workers should leave.
_HEAD = 3
# The first entry of a tally: labels that the gradient is a sum over.
_LABELS = 0


@dataclass(frozen=True, kw_only=True)
class AsyncConfig:
    """The contract of a server.

    Attributes:
        bound: Updates that may lie between reading and pushing; 0 is synchronous.
        workers: That a synchronous round waits for, as long as they live.
        rate_of: Learning rate of a fresh gradient, by number of the update.
        max_norm: Clip the mean gradient; None: never. One server sees the whole of it.
        is_held: Whether weights of a version must be read before the next round; bound 0 only.
        is_ending: Whether workers should leave, asked after each update. With a bound of 0 all of
            a round get one answer, so no round is left half done.
    """

    bound: int
    workers: int
    rate_of: Callable[[int], float]
    momentum: float = 0.0
    max_norm: float | None = None
    is_held: Callable[[int], bool] = lambda _: False
    is_ending: Callable[[], bool] = lambda: False


@dataclass(frozen=True, kw_only=True)
class Update:
    """One step of a server: with a bound of 0, of all workers together.

    Attributes:
        tally: [K] sums that came with the gradients; the first is the number of labels.
        seconds: When, by the clock of `time.perf_counter`.
    """

    version: int
    staleness: int
    gradients: int
    rate: float
    norm: float
    tally: Tensor
    seconds: float


@dataclass
class Staleness:
    """What a server saw."""

    applied: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    lost_workers: int = 0


class ParameterServer:
    """Holds a flat stretch of weights; `serve` runs until its workers are gone.

    Args:
        weights: [N] fp32.
        config: The contract.
        decay: [N] coefficients of coupled weight decay, as torch's SGD has it.
        tally_size: K.
        velocity: [N] momentum to go on with.
        on_update: Called after each update, one at a time.
    """

    def __init__(
        self,
        weights: Tensor,
        config: AsyncConfig,
        *,
        decay: Tensor | None = None,
        tally_size: int = 1,
        velocity: Tensor | None = None,
        on_update: Callable[[Update], None] | None = None,
    ) -> None:
        self.weights = weights.detach().clone()
        self.version = 0
        self.seen = Staleness()
        self._config, self._decay, self._on_update = config, decay, on_update
        self._tally_size = tally_size
        self._leave_now, self._held = False, False
        self._velocity = torch.zeros_like(weights) if velocity is None else velocity.clone()
        self._round: dict[int, tuple[Tensor, Tensor]] = {}
        self._alive = set(range(config.workers))
        self._changed = threading.Condition()

    def serve(self, links: Sequence[Callable[[], GlooLink]]) -> None:
        """Answer each link, opened in a thread of its own, until all workers have left."""
        threads = [
            threading.Thread(target=self._answer, args=(open_link, number), daemon=True)
            for number, open_link in enumerate(links)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def observe(self, link: GlooLink) -> None:
        """Answer pulls of a process that is no worker until it leaves."""
        while self._request(link, number=None):
            pass

    def answer(self, kind: int, version: int, verdict: int = _APPLIED) -> list[Tensor]:
        """What a request gets, as it is between two updates.

        READ gets the momentum too, of `version` or later, and lets a held round go on.
        """
        with self._changed:
            while kind == READ and self.version < version and self._alive:
                self._changed.wait()
            head = torch.tensor([verdict, self.version, int(self._leave_now)])
            parts = [self.weights, self._velocity] if kind == READ else [self.weights]
            parts = [head, *(part.clone() for part in parts)]
            if kind == READ:
                self._held = False
                self._close_round()
            return parts

    def _answer(self, open_link: Callable[[], GlooLink], number: int) -> None:
        is_lost = True
        try:
            link = open_link()
            while self._request(link, number=number):
                pass
            is_lost = False
        except ConnectionError:
            pass  # the worker died: those that are left go on
        finally:
            self._leave(number, is_lost=is_lost)

    def _request(self, link: GlooLink, *, number: int | None) -> bool:
        """Answer one request; whether more may follow."""
        kind, version = link.receive(torch.zeros(2, dtype=torch.int64)).tolist()
        if kind == STOP:
            return False
        verdict = _APPLIED
        if kind == PUSH and number is not None:
            tally = link.receive(torch.zeros(self._tally_size, dtype=torch.float64))
            gradient = link.receive(torch.empty_like(self.weights))
            verdict = self.push(number, gradient, tally, version)
        for part in self.answer(kind, version, verdict):
            link.send(part)
        return True

    def push(self, number: int, gradient: Tensor, tally: Tensor, version: int) -> int:
        """Take a worker's gradient: a sum over `tally[0]` labels at the weights of `version`."""
        with self._changed:
            if self._config.bound == 0:
                self._join_round(number, gradient, tally)
                return _APPLIED
            staleness = self.version - version
            if staleness > self._config.bound:
                self.seen.refused += 1
                return _STALE
            self.seen.applied[staleness] += 1
            self._apply(gradient, tally, staleness=staleness, gradients=1)
            return _APPLIED

    def _join_round(self, number: int, gradient: Tensor, tally: Tensor) -> None:
        """Wait for the others' gradients of this version."""
        self._round[number] = (gradient, tally)
        version = self.version
        self._close_round()
        while self.version == version:
            self._changed.wait()

    def _close_round(self) -> None:
        if self._round and self._alive <= self._round.keys() and not self._held:
            # In the order of the workers, not of arrival: sums of floats depend on it.
            joined = [self._round[number] for number in sorted(self._round)]
            gradient, tally = joined[0][0].clone(), joined[0][1].clone()
            for more, counts in joined[1:]:
                gradient += more
                tally += counts
            self.seen.applied[0] += len(joined)
            self._held = self._config.is_held(self.version + 1)
            self._apply(gradient, tally, staleness=0, gradients=len(joined))
            self._round.clear()
            self._changed.notify_all()

    def _apply(self, gradient: Tensor, tally: Tensor, *, staleness: int, gradients: int) -> None:
        config = self._config
        gradient = gradient / max(float(tally[_LABELS]), 1.0)
        norm = float(gradient.norm())
        if config.max_norm is not None and norm > config.max_norm:
            gradient *= config.max_norm / norm
        if self._decay is not None:
            gradient.addcmul_(self._decay, self.weights)
        rate = config.rate_of(self.version) / (1 + staleness)
        self._velocity.mul_(config.momentum).add_(gradient)
        self.weights.sub_(self._velocity, alpha=rate)
        self.version += 1
        self._leave_now = config.is_ending()
        if self._on_update is not None:
            self._on_update(
                Update(
                    version=self.version,
                    staleness=staleness,
                    gradients=gradients,
                    rate=rate,
                    norm=norm,
                    tally=tally,
                    seconds=time.perf_counter(),
                )
            )

    def _leave(self, number: int, *, is_lost: bool) -> None:
        with self._changed:
            self._alive.discard(number)
            self.seen.lost_workers += is_lost
            # What it sent into an open round stays: it was computed at these weights.
            self._close_round()
            self._changed.notify_all()


class Worker:
    """A model whose weights lie on servers, each of which has a stretch of them."""

    def __init__(self, model: nn.Module, links: Sequence[GlooLink]) -> None:
        self.model = model
        self._links = list(links)
        self._versions = [0] * len(self._links)
        self.refused = 0
        self.is_over = False  # the first server says that it is time to leave
        self.pull()

    def pull(self) -> None:
        """Read the weights."""
        self._exchange([PULL] * len(self._links), None, None)

    def read(self, version: int) -> Tensor:
        """Read the weights of `version` or later; the servers' momentum, [N]."""
        self._versions = [version] * len(self._links)
        return torch.cat(self._exchange([READ] * len(self._links), None, None)[1])

    def step(self, tally_of: Callable[[], Tensor]) -> Tensor:
        """One gradient, computed again where it came too late.

        Args:
            tally_of: Leaves gradients of sums in the model; its tally, [K] float64, labels first.

        Returns:
            The tally of what was applied.
        """
        kinds = [PUSH] * len(self._links)
        while True:
            self.model.zero_grad(set_to_none=True)
            tally = tally_of()
            verdicts, _ = self._exchange(kinds, flat_gradient(self.model), tally)
            # Where a stretch was applied it must not be applied again.
            kinds = [
                PULL if kind == PULL or verdict == _APPLIED else PUSH
                for kind, verdict in zip(kinds, verdicts, strict=True)
            ]
            if PUSH not in kinds:
                return tally
            self.refused += 1

    def close(self) -> None:
        """Take leave; a worker that does not is counted as lost."""
        for link in self._links:
            link.send(torch.tensor([STOP, 0]))

    def _exchange(
        self, kinds: Sequence[int], gradient: Tensor | None, tally: Tensor | None
    ) -> tuple[list[int], list[Tensor]]:
        """Ask all servers, then take their weights; their verdicts, and momenta where asked for."""
        weights = flat_weights(self.model)
        stretches = stretch(weights.numel(), len(self._links))
        for number, (link, part) in enumerate(zip(self._links, stretches, strict=True)):
            link.send(torch.tensor([kinds[number], self._versions[number]]))
            if kinds[number] == PUSH and gradient is not None and tally is not None:
                link.send(tally)
                link.send(gradient[part])
        verdicts, momenta = [], []
        for number, (link, part) in enumerate(zip(self._links, stretches, strict=True)):
            head = link.receive(torch.zeros(_HEAD, dtype=torch.int64)).tolist()
            verdict, self._versions[number], is_over = head
            verdicts.append(verdict)
            weights[part] = link.receive(torch.empty(part.stop - part.start))
            if kinds[number] == READ:
                momenta.append(link.receive(torch.empty(part.stop - part.start)))
            if number == 0:
                self.is_over = bool(is_over)
        write_weights(self.model, weights)
        return verdicts, momenta


def stretch(size: int, servers: int) -> list[slice]:
    """Equal stretches of a flat tensor."""
    each = -(-size // servers)
    return [slice(start, min(start + each, size)) for start in range(0, each * servers, each)]
