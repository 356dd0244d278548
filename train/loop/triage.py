"""Why did a step spike? The same batch by an earlier state, other batches by the same state.

PaLM's authors (Chowdhery et al. 2022, section 5.1) trained on the batches of a spike again, from another checkpoint, and
saw none: neither the data nor the state alone was the cause. The same two questions are asked here, without dropout and without an
update, and the answer is one of three words, or that nothing is wrong with the batch now.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from train.batch.batch import LossSums
from train.checkpoint.pointer import step_of
from train.data.cursor import Int64s
from train.loop.plan import StepSpan
from train.loop.replay import Replay

Verdict = Literal["data", "state", "interaction", "none"]
# Median deviations from the neighbours' median that count as high, and the least deviation (nats) that is believed.
_HIGH, _LEAST = 8.0, 0.01
# The loss of a shorter piece says little of it.
_LEAST_LABELS = 8


@dataclass(frozen=True, kw_only=True)
class BatchLosses:
    """Mean losses of the questioned batch and of its neighbours, by two states, in nats per label.

    Attributes:
        spiked_now: The batch by the state that met it.
        spiked_before: The batch by the earlier state.
        others_now: Neighbouring batches by the state that met it.
        others_before: The same ones by the earlier state.
    """

    spiked_now: float
    spiked_before: float
    others_now: Sequence[float]
    others_before: Sequence[float]

    def verdict(self) -> Verdict:
        """Data: high by both states. State: everything is higher now. Interaction: high by this state alone."""
        noise = self.noise()
        now = self.spiked_now - statistics.median(self.others_now)
        before = self.spiked_before - statistics.median(self.others_before)
        is_high_now, is_high_before = now > _HIGH * noise, before > _HIGH * noise
        if is_high_now and is_high_before:
            return "data"
        if is_high_now:
            return "interaction"
        risen = statistics.median(self.others_now) - statistics.median(self.others_before)
        return "state" if risen > _HIGH * noise else "none"

    def noise(self) -> float:
        """Median deviation of neighbouring batches from each other, by either state."""
        both = []
        for losses in (self.others_now, self.others_before):
            middle = statistics.median(losses)
            both.append(statistics.median(abs(loss - middle) for loss in losses))
        return max(*both, _LEAST)


@dataclass(frozen=True, kw_only=True)
class SegmentLoss:
    """A piece of a document in the batch.

    Attributes:
        loss: Nats per label by the state that met it.
        before: The same by the earlier state.
    """

    doc_id: str
    source: str
    sample: int
    tokens: int
    labels: int
    loss: float
    before: float


@dataclass(frozen=True, kw_only=True)
class Triage:
    """What was found.

    Attributes:
        segment_losses: The same as `losses` of the worst segment of each batch: one wild row of many is weak in
            the mean and plain by itself. None for models that do not keep segments.
        worst: The segments of the batch with the highest losses, the highest first.
        state_step, earlier_step: Updates that the two states had seen.
    """

    step: int
    state_step: int
    earlier_step: int
    losses: BatchLosses
    segment_losses: BatchLosses | None
    worst: list[SegmentLoss]

    def verdict(self) -> Verdict:
        """That of the mean; where it sees nothing, that of the worst segment, if it is the data's."""
        by_mean = self.losses.verdict()
        if by_mean != "none" or self.segment_losses is None:
            return by_mean
        by_segment = self.segment_losses.verdict()
        return by_segment if by_segment in ("data", "interaction") else "none"

    def as_dict(self) -> dict[str, Any]:
        """The verdict with the numbers that say so."""
        return {
            "step": self.step,
            "verdict": self.verdict(),
            "state_step": self.state_step,
            "earlier_step": self.earlier_step,
            "noise": self.losses.noise(),
            **vars(self.losses),
            "worst_segments": None if self.segment_losses is None else vars(self.segment_losses),
        }


def triage(replay: Replay, step: int, *, steps_back: int, neighbours: int) -> Triage:
    """Judge a step of a run.

    Args:
        replay: The run.
        step: The step that spiked.
        steps_back: How far the earlier state lies back at least.
        neighbours: Batches on either side that are compared with.
    """
    replay.go_to(step)
    state_step, plan = replay.step, replay.run.trainer.plan
    low, high = max(step - neighbours, 0), min(step + neighbours, plan.total_steps - 1)
    # Rows as they were read in the end: an earlier state may not know yet of what was jumped over.
    spans = [plan.span(one) for one in range(low, high + 1) if one != step]
    now, segments_now = _segments(replay, plan.span(step))
    others_now = [_segments(replay, span) for span in spans]
    oldest = step_of(replay.checkpoints[0])
    replay.load(max(step - steps_back, oldest))
    before, segments_before = _segments(replay, plan.span(step))
    others_before = [_segments(replay, span) for span in spans]
    return Triage(
        step=step,
        state_step=state_step,
        earlier_step=replay.step,
        losses=BatchLosses(
            spiked_now=now,
            spiked_before=before,
            others_now=[loss for loss, _ in others_now],
            others_before=[loss for loss, _ in others_before],
        ),
        segment_losses=_worst_of_each(
            segments_now,
            segments_before,
            [pieces for _, pieces in others_now],
            [pieces for _, pieces in others_before],
        ),
        worst=_joined(replay, segments_now, segments_before),
    )


@dataclass(frozen=True, kw_only=True)
class _Piece:
    sample: int
    number: int
    loss: float
    labels: int


def _worst_of_each(
    now: list[_Piece],
    before: list[_Piece],
    others_now: list[list[_Piece]],
    others_before: list[list[_Piece]],
) -> BatchLosses | None:
    """The loss of the worst segment of each batch; the questioned batch's is one segment by both states."""

    def highest(pieces: list[_Piece]) -> float | None:
        return max((one.loss for one in pieces if one.labels >= _LEAST_LABELS), default=None)

    long = [one for one in now if one.labels >= _LEAST_LABELS]
    others = [[highest(pieces) for pieces in batches] for batches in (others_now, others_before)]
    known = [[loss for loss in losses if loss is not None] for losses in others]
    if not long or not all(known):
        return None
    worst = max(long, key=lambda one: one.loss)
    same = [one.loss for one in before if (one.sample, one.number) == (worst.sample, worst.number)]
    return BatchLosses(
        spiked_now=worst.loss, spiked_before=same[0], others_now=known[0], others_before=known[1]
    )


def _segments(replay: Replay, span: StepSpan) -> tuple[float, list[_Piece]]:
    """Mean loss of a batch, and the losses of its segments; dropout is off."""
    run = replay.run
    strategy = run.trainer.strategy
    model = strategy.parts[0]
    was_training = model.training
    model.eval()
    loss = labels = 0.0
    pieces: list[_Piece] = []
    size = run.settings.batch.microbatch
    samples = np.arange(span.start, span.start + span.count, dtype=np.int64)
    try:
        for start in range(0, len(samples), size):
            part: Int64s = samples[start : start + size]
            rows = run.data.read(part)
            with torch.no_grad():
                sums = strategy.evaluate(run.built.make_batch(rows))
            assert sums is not None
            loss += float(sums.loss_by_source.sum())
            labels += float(sums.labels_by_source.sum())
            pieces += _pieces(sums, rows.segment_row, part)
    finally:
        model.train(was_training)
    return loss / max(labels, 1.0), pieces


def _pieces(sums: LossSums, segment_row: Any, samples: Int64s) -> list[_Piece]:
    """Losses by segment, where the objective kept the segments of the rows; none for other models."""
    by_segment = getattr(sums, "loss_by_segment", None)
    if by_segment is None or len(by_segment) != len(segment_row):
        return []
    numbers: dict[int, int] = {}
    found = []
    for row, loss, labels in zip(
        segment_row.tolist(), by_segment.tolist(), sums.labels_by_segment.tolist(), strict=True
    ):
        number = numbers.get(row, 0)
        numbers[row] = number + 1
        if labels:
            found.append(
                _Piece(
                    sample=int(samples[row]), number=number, loss=loss / labels, labels=int(labels)
                )
            )
    return found


def _joined(replay: Replay, now: list[_Piece], before: list[_Piece]) -> list[SegmentLoss]:
    """The segments with their documents, the worst first."""
    earlier = {(one.sample, one.number): one.loss for one in before}
    found = []
    for piece in now:
        segment = replay.run.data.origin(piece.sample).segments[piece.number]
        found.append(
            SegmentLoss(
                doc_id=segment.doc_id,
                source=segment.source,
                sample=piece.sample,
                tokens=segment.length,
                labels=piece.labels,
                loss=piece.loss,
                before=earlier.get((piece.sample, piece.number), float("nan")),
            )
        )
    return sorted(found, key=lambda one: (-one.loss, one.doc_id))
