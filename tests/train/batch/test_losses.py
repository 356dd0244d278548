"""Sums of a step under their names, and as the one vector that ranks exchange."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch

from train.batch.batch import Batch, LossSums
from train.batch.losses import LossMeter, StepSums, WorstRow
from train.distributed.world import World

CPU = torch.device("cpu")
SOURCES = ("web", "zh", "code")
ALONE = World(rank=0, size=1, device=CPU)


def sums_of(first: float, num_sources: int) -> StepSums:
    """Sums whose entries are first, first + 1, ... in the order in which they are packed."""
    size = StepSums.packed_size(num_sources)
    flat = torch.arange(first, first + size, dtype=torch.float64)
    return StepSums.unpack(flat, num_sources)


def meter() -> LossMeter:
    made = LossMeter(SOURCES, CPU)
    made.add(torch.tensor([1.0, 2.0, 0.0]), torch.tensor([3.0, 5.0, 0.0]))
    made.add(torch.tensor([0.5, 0.0, 0.0]), torch.tensor([1.0, 0.0, 0.0]))
    made.add_tokens(torch.tensor([8, 6, 0]), readers=2)
    made.add_pairs(torch.tensor(1.5), torch.tensor(2))
    return made


@pytest.mark.parametrize(("num_sources", "size"), [(1, 9), (2, 12), (3, 15)])
def test_the_packed_size_is_six_sums_and_three_of_each_source(num_sources: int, size: int) -> None:
    assert StepSums.packed_size(num_sources) == size
    assert len(StepSums.zeros(num_sources, CPU).pack()) == size


@pytest.mark.parametrize("num_sources", [1, 3])
def test_packing_and_unpacking_gives_the_same_sums(num_sources: int) -> None:
    sums = sums_of(1.0, num_sources)
    back = StepSums.unpack(sums.pack(), num_sources)

    for field in fields(StepSums):
        assert torch.equal(getattr(back, field.name), getattr(sums, field.name)), field.name


def test_the_packed_order_is_the_one_that_ranks_have_always_summed_in() -> None:
    # A ring all-reduce sums each stretch of the vector in another order of the ranks.
    assert meter().sums.pack().tolist() == [3.5, 9, 0, 1.5, 2, 0, 4, 5, 0, 4, 3, 0, 1.5, 2, 0]


def test_adding_sums_adds_each_under_its_name() -> None:
    sums = sums_of(0.0, 2)
    sums.add_(sums_of(100.0, 2))

    assert sums.pack().tolist() == [100.0 + 2 * i for i in range(12)]


def test_totals_have_every_sum_by_name_and_a_meter_can_be_asked_twice() -> None:
    counted = meter()
    first = counted.total(ALONE, stop_asked=True)
    second = counted.total(ALONE, stop_asked=False, copies=2)

    assert (first.loss, first.labels, first.own_labels, first.stop_asked) == (3.5, 9, 9, True)
    assert first.loss_by_source == {"web": 1.5, "zh": 2, "code": 0}
    assert first.labels_by_source == {"web": 4, "zh": 5, "code": 0}
    assert first.tokens_by_source == {"web": 4, "zh": 3, "code": 0}
    assert (first.pair_loss, first.pairs, first.pair_mean) == (1.5, 2, 0.75)
    assert (second.loss, second.labels, second.own_labels) == (1.75, 4.5, 9)
    assert second.stop_asked is False


def test_the_mean_of_each_row_is_that_of_its_segments() -> None:
    """Row 0 has segments 0 and 1, row 1 is padding, row 2 has segment 2."""
    batch = Batch(
        input_ids=torch.zeros(3, 4, dtype=torch.long),
        labels=torch.zeros(3, 4, dtype=torch.long),
        document=torch.zeros(3, 4, dtype=torch.long),
        positions=torch.zeros(3, 4, dtype=torch.long),
        segment=torch.tensor([[0, 0, 1, -1], [-1, -1, -1, -1], [2, 2, 2, 2]]),
        segment_source=torch.tensor([0, 1, 0]),
        num_sources=2,
        is_whole=False,
    )
    nothing = torch.zeros(2, dtype=torch.float64)
    sums = LossSums(
        loss=torch.zeros(()),
        loss_by_segment=torch.tensor([6.0, 3.0, 20.0], dtype=torch.float64),
        labels_by_segment=torch.tensor([2.0, 1.0, 4.0], dtype=torch.float64),
        loss_by_source=nothing,
        labels_by_source=nothing,
    )
    meter = LossMeter(("a", "b"), CPU, keeps_rows=True)

    meter.add_rows(sums.row_means(batch), torch.tensor([40, 41, 42]))
    meter.add_rows(torch.tensor([4.0]), torch.tensor([43]))

    assert sums.row_means(batch)[[0, 2]].tolist() == [3.0, 5.0]
    assert meter.worst_row(ALONE) == WorstRow(loss=5.0, sample=42)
