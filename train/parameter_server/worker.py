"""The worker's side of asynchronous SGD: ask servers for weights, push gradients to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from train.distributed.flat_vectors import flat_gradient, flat_weights, write_weights
from train.distributed.links import Link
from train.parameter_server.messages import AnswerHead, Request, RequestKind, Tally


@dataclass(frozen=True, kw_only=True)
class _Answers:
    """What the servers answered, in their order.

    Attributes:
        momenta: Their stretches of the momentum, where they were asked for it.
    """

    heads: list[AnswerHead]
    momenta: list[Tensor]


class Worker:
    """A model whose weights lie on servers, each of which has a stretch of them.

    Attributes:
        refused: Number of gradients that came too late and were computed again.
        is_over: Whether the first server said that it is time to leave.
    """

    def __init__(self, model: nn.Module, links: Sequence[Link]) -> None:
        self.model = model
        self._links = list(links)
        self._versions = [0] * len(self._links)
        self.refused = 0
        self.is_over = False
        self.pull()

    def pull(self) -> None:
        self._exchange([RequestKind.PULL] * len(self._links))

    def read(self, version: int) -> Tensor:
        """Read the weights of `version` or later; returns the servers' momentum, [N]."""
        self._versions = [version] * len(self._links)
        return torch.cat(self._exchange([RequestKind.READ] * len(self._links)).momenta)

    def step(self, compute_gradient: Callable[[], Tally]) -> Tally | None:
        """Push one gradient, computed again where it came too late, unless it is time to leave.

        Args:
            compute_gradient: Leaves gradients of sums in the model and says what they are sums over.

        Returns:
            The tally of what was applied; None where it was not, and no round follows.
        """
        kinds = [RequestKind.PUSH] * len(self._links)
        while True:
            self.model.zero_grad(set_to_none=True)
            tally = compute_gradient()
            answers = self._exchange(kinds, (flat_gradient(self.model), tally))
            # Where a stretch was applied it must not be applied again.
            kinds = [
                RequestKind.PULL if head.is_applied else RequestKind.PUSH for head in answers.heads
            ]
            if RequestKind.PUSH not in kinds:
                return tally
            if self.is_over:
                return None
            self.refused += 1

    def close(self) -> None:
        """Take leave; a worker that does not is counted as lost."""
        for link in self._links:
            link.send(Request(kind=RequestKind.STOP).pack())

    def _exchange(
        self, kinds: Sequence[RequestKind], pushed: tuple[Tensor, Tally] | None = None
    ) -> _Answers:
        """Send each server its request, and its stretch of the gradient; then take the weights."""
        weights = flat_weights(self.model)
        stretches = stretch(weights.numel(), len(self._links))
        for link, part, kind, version in zip(
            self._links, stretches, kinds, self._versions, strict=True
        ):
            link.send(Request(kind=kind, version=version).pack())
            if kind is RequestKind.PUSH and pushed is not None:
                gradient, tally = pushed
                link.send(tally.pack())
                link.send(gradient[part])
        answers = _Answers(heads=[], momenta=[])
        for link, part, kind in zip(self._links, stretches, kinds, strict=True):
            answers.heads.append(AnswerHead.unpack(link.receive(AnswerHead.buffer())))
            weights[part] = link.receive(torch.empty(part.stop - part.start))
            if kind is RequestKind.READ:
                answers.momenta.append(link.receive(torch.empty(part.stop - part.start)))
        self._versions = [head.version for head in answers.heads]
        self.is_over = answers.heads[0].should_leave
        write_weights(self.model, weights)
        return answers


def stretch(size: int, servers: int) -> list[slice]:
    """Which entries of a flat tensor each server holds: as many each, fewer on the last one."""
    length = -(-size // servers)
    return [slice(start, min(start + length, size)) for start in range(0, length * servers, length)]
