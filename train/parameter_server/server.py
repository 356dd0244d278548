"""Asynchronous SGD with a bounded staleness: servers hold the weights, workers come and go.

A worker has weights, computes a gradient and pushes it; the answer holds fresh weights. An update is
as stale as the number of updates that were applied since its weights were read. A gradient that is
staler than the bound is refused: its worker computes it again. The rate of an update is divided by
1 + staleness (Zhang et al. 2016, staleness-aware async-SGD). With a bound of 0 the server gathers
one gradient of each worker and applies their sum over their labels: synchronous SGD. A worker that takes
leave before its gradient ends such a run: the open round is dropped, for none is right without all.

The server has one thread and one gloo link per worker. A worker that is slow only makes its own
gradients stale, one that dies is forgotten. Several servers each hold a stretch of the parameters;
a worker talks to all of them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from train.distributed.links import Link
from train.parameter_server.messages import AnswerHead, Request, RequestKind, Tally

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ServerContract:
    """When a server applies a gradient, and how.

    Attributes:
        bound: Updates that may lie between reading weights and pushing their gradient; 0 is
            synchronous SGD.
        workers: Number of workers; a synchronous round waits for those of them that live.
        rate_of: Learning rate of a fresh gradient, by the number of the update.
        max_grad_norm: The mean gradient is clipped to this norm; None: never. Only a single server sees
            the norm of the whole gradient.
        is_held: Whether weights of a version must be read before the next round; bound 0 only.
        is_ending: Whether workers should leave, asked after each update. With a bound of 0 all of
            a round get one answer, so no round is left half done.
    """

    bound: int
    workers: int
    rate_of: Callable[[int], float]
    momentum: float = 0.0
    max_grad_norm: float | None = None
    is_held: Callable[[int], bool] = lambda _: False
    is_ending: Callable[[], bool] = lambda: False


@dataclass(frozen=True, kw_only=True)
class Update:
    """One update of a server's weights: with a bound of 0, by the gradients of all workers.

    Attributes:
        version: Number of updates so far, this one included.
        staleness: Updates that were applied since the gradient's weights were read.
        gradients: Number of gradients that were added up.
        norm: 2-norm of the mean gradient before clipping.
        tally: What came with the gradients, added up.
        seconds: When it was applied, by the clock of `time.perf_counter`.
    """

    version: int
    staleness: int
    gradients: int
    rate: float
    norm: float
    tally: Tally
    seconds: float


@dataclass
class Staleness:
    """What a server saw.

    Attributes:
        applied: Number of gradients that were applied, by their staleness.
        refused: Number of gradients that came too late.
    """

    applied: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    lost_workers: int = 0


class ParameterServer:
    """Holds a flat stretch of weights; `serve` runs until its workers are gone.

    Args:
        weights: [N] fp32.
        config: The contract.
        decay: [N] coefficients of coupled weight decay, as torch's SGD has it.
        num_sums: K, entries of the packed sums in a worker's tally.
        velocity: [N] momentum to go on with; None: it begins with zeros.
        on_update: Called after each update, one at a time.
    """

    def __init__(
        self,
        weights: Tensor,
        config: ServerContract,
        *,
        decay: Tensor | None = None,
        num_sums: int = 0,
        velocity: Tensor | None = None,
        on_update: Callable[[Update], None] | None = None,
    ) -> None:
        self.weights = weights.detach().clone()
        self.version = 0
        self.seen = Staleness()
        self._config, self._decay, self._on_update = config, decay, on_update
        self._num_sums = num_sums
        self._leave_now, self._held, self._has_left = False, False, False
        self._velocity = torch.zeros_like(weights) if velocity is None else velocity.clone()
        self._round: dict[int, tuple[Tensor, Tally]] = {}
        self._alive = set(range(config.workers))
        self._changed = threading.Condition()

    def serve(self, links: Sequence[Callable[[], Link]]) -> None:
        """Answer each link, opened in a thread of its own, until all workers have left."""
        threads = [
            threading.Thread(target=self._answer, args=(open_link, number), daemon=True)
            for number, open_link in enumerate(links)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def observe(self, link: Link) -> None:
        """Answer pulls of a process that is no worker until it leaves."""
        while self._request(link, number=None):
            pass

    def answer(self, request: Request, *, is_applied: bool = True) -> list[Tensor]:
        """What a request gets, as it is between two updates: a packed head, then the weights.

        READ gets the momentum too, of the version or later, and lets a held round go on.
        """
        is_read = request.kind is RequestKind.READ
        with self._changed:
            while is_read and self.version < request.version and self._alive:
                self._changed.wait()
            head = AnswerHead(
                is_applied=is_applied, version=self.version, should_leave=self._leave_now
            )
            parts = [self.weights, self._velocity] if is_read else [self.weights]
            answer = [head.pack(), *(part.clone() for part in parts)]
            if is_read:
                self._held = False
                self._close_round()
            return answer

    def _answer(self, open_link: Callable[[], Link], number: int) -> None:
        is_lost = True
        try:
            link = open_link()
            while self._request(link, number=number):
                pass
            is_lost = False
        except ConnectionError as error:
            logger.warning("%s", error)  # the worker died: those that are left go on
        finally:
            self._leave(number, is_lost=is_lost)

    def _request(self, link: Link, *, number: int | None) -> bool:
        """Answer one request; whether more may follow."""
        request = Request.unpack(link.receive(Request.buffer()))
        if request.kind is RequestKind.STOP:
            return False
        is_applied = True
        if request.kind is RequestKind.PUSH and number is not None:
            tally = Tally.unpack(link.receive(Tally.buffer(self._num_sums)))
            gradient = link.receive(torch.empty_like(self.weights))
            is_applied = self.push(number, gradient, tally, request.version)
        for part in self.answer(request, is_applied=is_applied):
            link.send(part)
        return True

    def push(self, number: int, gradient: Tensor, tally: Tally, version: int) -> bool:
        """Take a worker's gradient, a sum at the weights of `version`; False where it is too stale.

        Raises:
            ConnectionError: The gradient is not finite; the worker is then lost.
        """
        if not bool(torch.isfinite(gradient).all()):
            # Applied once, it would be in every weight for good.
            raise ConnectionError(f"worker {number} sent a gradient that is no number")
        with self._changed:
            if self._config.bound == 0:
                return self._join_round(number, gradient, tally)
            staleness = self.version - version
            if staleness > self._config.bound:
                self.seen.refused += 1
                return False
            self.seen.applied[staleness] += 1
            self._apply(gradient, tally, staleness=staleness, gradients=1)
            return True

    def _join_round(self, number: int, gradient: Tensor, tally: Tally) -> bool:
        """Wait for the others' gradients of this version; False where one of them has taken leave."""
        self._round[number] = (gradient, tally)
        version = self.version
        self._close_round()
        while self.version == version and not self._has_left:
            self._changed.wait()
        return self.version > version

    def _close_round(self) -> None:
        if self._has_left:
            return
        if self._round and self._alive <= self._round.keys() and not self._held:
            # In the order of the workers, not of arrival: sums of floats depend on it.
            joined = [self._round[number] for number in sorted(self._round)]
            gradient, tally = joined[0][0].clone(), joined[0][1]
            for other_gradient, other_tally in joined[1:]:
                gradient += other_gradient
                tally = tally + other_tally
            self.seen.applied[0] += len(joined)
            self._held = self._config.is_held(self.version + 1)
            self._apply(gradient, tally, staleness=0, gradients=len(joined))
            self._round.clear()
            self._changed.notify_all()

    def _apply(self, gradient: Tensor, tally: Tally, *, staleness: int, gradients: int) -> None:
        config = self._config
        gradient = gradient / max(tally.labels, 1.0)
        norm = float(gradient.norm())
        if config.max_grad_norm is not None and norm > config.max_grad_norm:
            gradient *= config.max_grad_norm / norm
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
            if self._config.bound == 0 and not is_lost:
                self._has_left = self._leave_now = True
            # What it sent into an open round stays: it was computed at these weights.
            self._close_round()
            self._changed.notify_all()
