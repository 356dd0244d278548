"""Which document each segment of some rows is of, as an objective shows the rows to a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from train.data.loader import SplitReader
from train.data.shards import Segment
from train.evaluation.chosen_rows import Int64s
from train.evaluation.heldout import EvaluationBatches
from train.model.transformer import Model


def shown_segments(
    data: SplitReader, batches: EvaluationBatches, samples: Int64s
) -> list[Segment | None]:
    """The segments of some samples in the order of a batch's sums; None for a mark that the objective puts first."""
    rows = data.read(samples)
    causal = batches.causal
    shown = rows if causal is None else causal.with_room_used(rows)
    marks = np.bincount(shown.segment_row, minlength=len(samples)) - np.bincount(
        rows.segment_row, minlength=len(samples)
    )
    found: list[Segment | None] = []
    for sample, extra in zip(samples.tolist(), marks.tolist(), strict=True):
        found += [None] * extra
        found += data.origin(sample).segments
    return found


@torch.no_grad()
def segment_losses(
    model: Model, data: SplitReader, batches: EvaluationBatches, *, microbatch: int
) -> Iterator[tuple[list[Segment | None], list[float], list[float]]]:
    """Segments, their summed losses in nats and their labels, batch by batch over a split.

    Sums are None-length where the objective does not keep the segments of rows: then lists differ in length.
    """
    samples = np.arange(data.num_rows, dtype=np.int64)
    for start in range(0, len(samples), microbatch):
        part = samples[start : start + microbatch]
        sums: Any = model(batches.make_batch(data.read(part)))
        losses = getattr(sums, "loss_by_segment", torch.zeros(0)).double().tolist()
        labels = getattr(sums, "labels_by_segment", torch.zeros(0)).double().tolist()
        yield shown_segments(data, batches, part), losses, labels
