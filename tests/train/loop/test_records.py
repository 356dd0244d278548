"""The figures of a step, from its sums and its clock."""

from __future__ import annotations

import pytest
import torch

from train.batch.losses import StepTotals
from train.distributed.world import World
from train.loop.plan import StepSpan
from train.loop.records import step_record
from train.loop.trainer import StepOutcome
from train.report.speed import ModelSpeed

TOTALS = StepTotals(
    loss=30.0,
    labels=10.0,
    own_labels=10.0,
    loss_by_source={"web": 30.0, "zh": 0.0},
    labels_by_source={"web": 10.0, "zh": 0.0},
    tokens_by_source={"web": 11.6, "zh": 0.0},
    stop_asked=False,
)
OUTCOME = StepOutcome(
    span=StepSpan(step=3, start=12, count=4),
    totals=TOTALS,
    grad_norm=0.5,
    lr=0.1,
    loss_scale=None,
    is_skipped=False,
    seconds=2.0,
)


def speed(flops_per_token: float | None, ranks: int = 1) -> ModelSpeed:
    return ModelSpeed(
        flops_per_token=flops_per_token,
        peak_flops=1000.0,
        world=World(rank=0, size=ranks, device=torch.device("cpu")),
    )


def test_a_record_counts_samples_tokens_and_labels_of_its_step() -> None:
    record = step_record(OUTCOME, speed(None), seq_len=8, waited_seconds=0.5)

    assert (record["step"], record["consumed_start"], record["batch"]) == (3, 12, 4)
    assert (record["tokens"], record["labels"], record["loss"]) == (128, 10, 3.0)
    assert record["loss_by_source"] == {"web": 3.0}  # a source without a label has no loss
    assert record["tokens_by_source"] == {"web": 12, "zh": 0}
    assert (record["tokens_per_second"], record["wait_share"]) == (16.0, 0.25)
    assert record["pair_loss"] is None
    assert record["memory_bytes"] > 10_000_000


@pytest.mark.parametrize(("ranks", "share"), [(1, 0.16), (4, 0.04)])
def test_mfu_is_the_share_of_the_peak_of_all_ranks(ranks: int, share: float) -> None:
    record = step_record(OUTCOME, speed(10.0, ranks), seq_len=8, waited_seconds=0.0)

    assert record["mfu"] == pytest.approx(share)


def test_a_model_that_cannot_count_its_operations_has_no_mfu() -> None:
    assert step_record(OUTCOME, speed(None), seq_len=8, waited_seconds=0.0)["mfu"] is None
