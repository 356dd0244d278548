"""The micro-batches of a rank: steps by the plan, rows by the cursor, content by the objective."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from train.data.cursor import RankShare, rank_samples
from train.data.loader import Prefetch
from train.data.packed import Int64s, PackedRows
from train.data.spliced import SplicedReader
from train.loop.plan import RunPlan, StepSpan
from train.loop.trainer import MicroBatch

MakeBatch = Callable[[PackedRows], Any]


class ReadsRows(Protocol):
    """The part of a dataset that the loop needs."""

    def read(self, samples: Int64s) -> PackedRows:
        """Rows of the samples, in their order."""


def microbatches(
    plan: RunPlan,
    data: ReadsRows,
    share: RankShare,
    make_batch: MakeBatch,
    *,
    microbatch: int,
    start_step: int,
) -> Iterator[MicroBatch]:
    """This rank's micro-batches from `start_step` to the end of the run, in order."""
    for step in range(start_step, plan.total_steps):
        span = plan.span(step)
        samples = rank_samples(start=span.start, count=span.count, share=share)
        numbers = itertools.count(share.first_microbatch(span.count))
        for number, start in zip(numbers, range(0, len(samples), microbatch), strict=False):
            rows = data.read(samples[start : start + microbatch])
            yield _microbatch(rows, make_batch, step=step, number=number)


def _microbatch(rows: PackedRows, make_batch: MakeBatch, *, step: int, number: int) -> MicroBatch:
    return MicroBatch(
        step=step,
        number=number,
        rows=len(rows.sample_index),
        samples=torch.from_numpy(rows.sample_index),
        tokens_by_source=_tokens(rows),
        content=make_batch(rows),
    )


def _tokens(rows: PackedRows) -> Tensor:
    """Tokens without padding, [O] by source."""
    counts = np.bincount(
        rows.segment_source, weights=rows.segment_length, minlength=len(rows.sources)
    )
    return torch.from_numpy(counts)


@dataclass(frozen=True, kw_only=True)
class RowSource:
    """The training split and what is made of its rows.

    Attributes:
        microbatch: Rows of one forward pass.
        prefetched: Micro-batches that a thread prepares ahead.
    """

    data: SplicedReader
    make_batch: MakeBatch
    microbatch: int
    prefetched: int

    @contextmanager
    def stream(self, plan: RunPlan, share: RankShare, *, start_step: int) -> Iterator[StepStream]:
        """This rank's micro-batches from `start_step` to the end of the run, step by step."""
        items = microbatches(
            plan,
            self.data,
            share,
            self.make_batch,
            microbatch=self.microbatch,
            start_step=start_step,
        )
        stream = StepStream(items, depth=self.prefetched)
        try:
            yield stream
        finally:
            stream.close()

    def leaf(self, span: StepSpan, number: int) -> MicroBatch:
        """One micro-batch of a step by its number, where ranks read whole ones (`RankShare.block`)."""
        first = span.start + number * self.microbatch
        end = min(first + self.microbatch, span.start + span.count)
        rows = self.data.read(np.arange(first, end, dtype=np.int64))
        return _microbatch(rows, self.make_batch, step=span.step, number=number)


class StepStream:
    """Hands out the micro-batches of one step after the other from one prefetching thread."""

    def __init__(self, items: Iterator[MicroBatch], *, depth: int) -> None:
        self._items = Prefetch(items, depth=depth)
        self._ahead: MicroBatch | None = next(self._items, None)

    @property
    def waited_seconds(self) -> float:
        """Time that the loop has waited for rows since the start."""
        return self._items.waited_seconds

    def of_step(self, span: StepSpan) -> Iterator[MicroBatch]:
        """The micro-batches of this step; none where the batch has fewer rows than ranks."""
        while self._ahead is not None and self._ahead.step == span.step:
            current = self._ahead
            yield current
            self._ahead = next(self._items, None)

    def close(self) -> None:
        self._items.close()
