"""One line of metrics: the figures of a step."""

from __future__ import annotations

import time
from typing import Any

from train.loop.trainer import StepOutcome
from train.report.memory import peak_memory_bytes
from train.report.speed import ModelSpeed


def step_record(
    outcome: StepOutcome, speed: ModelSpeed, *, seq_len: int, waited_seconds: float
) -> dict[str, Any]:
    """The figures of a step.

    Args:
        outcome: What the update did.
        speed: Gives the share of the hardware's peak.
        seq_len: Tokens of a packed row.
        waited_seconds: How long the step waited for rows.
    """
    span, totals = outcome.span, outcome.totals
    tokens_per_second = span.count * seq_len / outcome.seconds
    return {
        "step": span.step,
        "consumed_start": span.start,
        "batch": span.count,
        "tokens": (span.start + span.count) * seq_len,
        "loss": totals.mean,
        "labels": int(totals.labels),
        "pair_loss": totals.pair_mean,
        "pairs": int(totals.pairs),
        "loss_by_source": totals.means_by_source(),
        "labels_by_source": {k: int(v) for k, v in totals.labels_by_source.items()},
        "tokens_by_source": {k: round(v) for k, v in totals.tokens_by_source.items()},
        "grad_norm": outcome.grad_norm,
        "lr": outcome.lr,
        "loss_scale": outcome.loss_scale,
        "skipped": outcome.is_skipped,
        "seconds": outcome.seconds,
        "tokens_per_second": tokens_per_second,
        "mfu": speed.mfu(tokens_per_second),
        "memory_bytes": peak_memory_bytes(speed.world.device),
        "wait_share": waited_seconds / outcome.seconds,
        "time": time.time(),
    }
