"""Wrong bits are found while a run goes on: a random micro-batch is computed by a second rank, and weights are compared.

With `parallel.reduction: tree` the gradient of a micro-batch has the same bits on every rank, and so have all weights. Every few
steps all ranks compare the SHA-256 of their weights, and a rank that did not do a micro-batch, drawn by the step, does it again. Where two
ranks differ a third one decides; of two ranks alone, both do it once more, so that a flip that does not stay is still found out.
The rank that is named leaves before its gradient is added.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from schemas.errors import PipelineError
from schemas.fingerprints import sha256_hex
from train.batch.losses import LossMeter
from train.data.spliced import open_spans
from train.loop.open_run import TrainingRun
from train.loop.plan import StepSpan
from train.loop.stream import RowSource
from train.parallel.tree import TreeStrategy, digest_of

SENTINEL = "sentinel"


class BitFlipError(PipelineError):
    """A rank has computed, or holds, other bits than the others."""


class Finding(NamedTuple):
    """What ranks differ in.

    Attributes:
        what: `weights`, or the micro-batch.
        rank: The rank that is wrong; None where no majority tells.
    """

    what: str
    rank: int | None


@dataclass(kw_only=True)
class Sentinel:
    """Compares the ranks' bits every so many steps; all ranks have one and call it together."""

    run: TrainingRun
    strategy: TreeStrategy
    every_steps: int
    rows: RowSource

    def watched(self, step: int) -> int | None:
        """The micro-batch of a step that two ranks compute; None for steps that are not looked at."""
        if (step + 1) % self.every_steps:
            return None
        span = self.run.trainer.plan.span(step)
        leaves = -(-span.count // self.rows.microbatch)
        drawn = sha256_hex(f"sentinel {self.run.settings.seed} {step}".encode())
        return int(drawn[:12], 16) % leaves

    def __call__(self, span: StepSpan, backward_scale: float) -> None:
        """Look at a step before its gradients are added.

        Raises:
            BitFlipError: This rank is wrong, or no majority tells which one is.
        """
        found = self.inspect(span, backward_scale)
        if found is None:
            return
        said = f"step {span.step}: rank {found.rank} has other bits than the others in {found.what}"
        if found.rank is None:
            said = f"step {span.step}: ranks have different bits in {found.what}, and no majority"
        self.run.events.append(SENTINEL, step=span.step, what=found.what, rank=found.rank)
        if found.rank in (None, self.run.world.rank):
            raise BitFlipError(said)

    def inspect(self, span: StepSpan, backward_scale: float) -> Finding | None:
        """What ranks differ in at this step; None where they do not, or where it is not looked at."""
        world, leaf = self.run.world, self.watched(span.step)
        if leaf is None or world.size == 1:
            return None
        weights = world.gather_values(self._digest_of_weights())
        if len(set(weights)) > 1:
            return Finding("the weights", odd_one_out(weights))
        owner = next(r for r, own in enumerate(self.strategy.leaves_by_rank()) if leaf in own)
        checker, third = ((owner + more) % world.size for more in (1, 2))
        digest = self.strategy.digest if world.rank == owner else None
        if world.rank == checker:
            digest = self._again(span, leaf, backward_scale)
        told = world.gather_values(digest)
        if told[owner] == told[checker]:
            return None
        decides = world.size == 2 or world.rank == third
        once_more = world.gather_values(
            self._again(span, leaf, backward_scale) if decides else None
        )
        opinions = {one for one in once_more if one is not None}
        wrong = None
        if len(opinions) == 1:
            wrong = {told[owner]: checker, told[checker]: owner}.get(opinions.pop())
        return Finding(f"micro-batch {leaf}", wrong)

    def _again(self, span: StepSpan, leaf: int, backward_scale: float) -> str:
        trainer = self.run.trainer
        meter = LossMeter(trainer.sources, self.run.world.device)
        batch = self.rows.leaf(span, leaf)
        return self.strategy.digest_again(batch, meter, backward_scale=backward_scale)

    def _digest_of_weights(self) -> str:
        parameters = (one for part in self.strategy.parts for one in part.parameters())
        digests = (digest_of(parameter.detach()) for parameter in parameters)
        return hashlib.sha256("".join(digests).encode()).hexdigest()


def odd_one_out(digests: Sequence[str]) -> int | None:
    """The one rank that differs from a majority which agrees; None where there is none, or several do."""
    (common, count), *_ = Counter(digests).most_common()
    if count * 2 <= len(digests) or count < len(digests) - 1:
        return None
    return next(rank for rank, digest in enumerate(digests) if digest != common)


def sentinel_of(run: TrainingRun) -> Sentinel | None:
    """The sentinel that the recipe asks for; it reads rows beside the thread that reads ahead."""
    every, strategy, settings = (
        run.settings.parallel.sentinel_every_steps,
        run.trainer.strategy,
        run.settings,
    )
    if every is None or not isinstance(strategy, TreeStrategy):
        return None
    data = open_spans(
        settings.spans,
        settings.loader,
        seed=settings.seed,
        first_sample=settings.first_sample,
        order=run.order,
    )
    made = Sentinel(
        run=run, strategy=strategy, every_steps=every, rows=replace(run.rows, data=data)
    )
    strategy.watched = made.watched
    return made
