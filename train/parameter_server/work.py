"""What a worker of a run on parameter servers does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Protocol

import torch

from schemas.errors import PipelineError
from train.batch.losses import LossMeter
from train.data.cursor import RankShare
from train.loop.signals import AsksToStop
from train.loop.stream import RowSource
from train.loop.trainer import MicroBatch, Trainer
from train.parallel.config import AsynchronousConfig
from train.parameter_server.messages import Tally
from train.parameter_server.rendezvous import Rendezvous
from train.parameter_server.worker import Worker

logger = logging.getLogger(__name__)


class ComputeGradient(Protocol):
    """As `compute_gradient`; another one may take its time, to see what that does."""

    def __call__(
        self, trainer: Trainer, items: Iterable[MicroBatch], *, waited_seconds: float
    ) -> Tally: ...


class _AskedToStop(Exception):  # noqa: N818 - no error: it leaves a gradient that is half done
    """SIGTERM came between two micro-batches."""


def compute_gradient(
    trainer: Trainer, items: Iterable[MicroBatch], *, waited_seconds: float
) -> Tally:
    """Leave gradients of sums in the model; returns what they are sums over."""
    meter = LossMeter(trainer.sources, trainer.world.device)
    counted = (item.counted(meter, readers=1) for item in items)
    trainer.strategy.accumulate(counted, meter, backward_scale=1.0)
    return Tally(
        labels=float(meter.sums.labels),
        waited_seconds=waited_seconds,
        sums=meter.sums.pack().cpu(),
    )


def _finite(trainer: Trainer, compute: Callable[[], Tally]) -> Tally:
    """Compute a gradient.

    Raises:
        PipelineError: Loss or gradient is no number; it is not pushed.
    """
    tally = compute()
    gradients = [p.grad for p in trainer.strategy.parts[0].parameters() if p.grad is not None]
    is_finite = all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
    if not (is_finite and bool(torch.isfinite(tally.sums).all())):
        span = trainer.plan.span(trainer.step)
        raise PipelineError(
            f"step {span.step}: loss or gradient is not finite; samples {span.start} to "
            f"{span.start + span.count - 1} (python -m train trace --step {span.step})"
        )
    return tally


def work(
    trainer: Trainer,
    rows: RowSource,
    config: AsynchronousConfig,
    rendezvous: Rendezvous,
    *,
    number: int,
    flag: AsksToStop,
    gradient: ComputeGradient = compute_gradient,
) -> None:
    """Compute gradients until the recipe's end or SIGTERM, which leaves the gradient that is half done.

    Where nothing may be stale all leave together: when the first server says so after a round, or when one of
    them leaves in a round, which is then dropped.

    Args:
        trainer: Holds model and plan; its optimizer is not used.
        rows: The training split.
        config: Numbers of servers and workers, and the bound of the staleness.
        rendezvous: Finds the servers.
        flag: Says whether this process is asked to stop.
        number: Number of this worker among the workers.
        gradient: Computes the gradient of a step.
    """
    strategy = trainer.strategy
    strategy.share = RankShare(rank=number, ranks=config.workers)
    trainer.step = rendezvous.start_step()
    worker = Worker(strategy.parts[0], rendezvous.links_to_servers(config.servers, number))
    with rows.stream(trainer.plan, strategy.share, start_step=trainer.step) as stream:
        while trainer.step < trainer.plan.total_steps and not (worker.is_over or flag.is_set):
            waited = stream.waited_seconds
            items = list(stream.of_step(trainer.plan.span(trainer.step)))
            waited = stream.waited_seconds - waited

            def compute(items: list[MicroBatch] = items, waited: float = waited) -> Tally:
                return gradient(trainer, _until_asked(items, flag), waited_seconds=waited)

            try:
                applied = worker.step(partial(_finite, trainer, compute))
            except _AskedToStop:
                break
            trainer.step += applied is not None
    worker.close()
    logger.info("worker %d: %d steps, %d gradients too late", number, trainer.step, worker.refused)


def _until_asked(items: Iterable[MicroBatch], flag: AsksToStop) -> Iterator[MicroBatch]:
    for item in items:
        if flag.leaves_step:
            raise _AskedToStop
        yield item
