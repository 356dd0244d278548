"""Micro-batches of ranks: together they are the batch of the plan, whatever their number."""

from __future__ import annotations

import numpy as np
import pytest

from train.data.config import BatchConfig, BatchRamp
from train.data.cursor import Int64s, RankShare
from train.data.packed import PackedRows
from train.loop.plan import RunPlan
from train.loop.stream import StepStream, microbatches
from train.settings import StopConfig


class CountedRows:
    """Row n has n mod 3 + 1 tokens, of the source n mod 2."""

    def read(self, samples: Int64s) -> PackedRows:
        count = len(samples)
        return PackedRows(
            input_ids=np.zeros((count, 4), np.int32),
            next_token=np.full(count, -1, np.int32),
            sample_index=samples,
            segment_row=np.arange(count, dtype=np.int32),
            segment_start=np.zeros(count, np.int32),
            segment_length=(samples % 3 + 1).astype(np.int32),
            segment_source=(samples % 2).astype(np.int32),
            sources=("even", "odd"),
        )


RAMP = BatchRamp(start_sequences=2, over_tokens=40, quantum=2)
PLAN = RunPlan(
    batch=BatchConfig(sequences=6, ramp=RAMP), stop=StopConfig(steps=6), seq_len=4, rows_per_pass=50
)


def samples_by_step(*, ranks: int, microbatch: int, start_step: int = 0) -> dict[int, list[int]]:
    samples: dict[int, list[int]] = {}
    for rank in range(ranks):
        for item in microbatches(
            PLAN, CountedRows(), RankShare(rank=rank, ranks=ranks),
            lambda rows: rows.sample_index.tolist(), microbatch=microbatch, start_step=start_step,
        ):  # fmt: skip
            assert item.rows == len(item.content) <= microbatch
            samples.setdefault(item.step, []).extend(item.content)
    return {step: sorted(found) for step, found in sorted(samples.items())}


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("microbatch", [1, 4])
def test_ranks_share_the_batch_of_each_step(ranks: int, microbatch: int) -> None:
    spans = [PLAN.span(step) for step in range(6)]

    found = samples_by_step(ranks=ranks, microbatch=microbatch)

    assert found == {s.step: list(range(s.start, s.start + s.count)) for s in spans}
    assert [s.count for s in spans] == [2, 2, 2, 4, 6, 6]  # the batch grows over 40 tokens


def test_a_resumed_run_reads_what_is_left() -> None:
    whole = samples_by_step(ranks=2, microbatch=2)

    assert samples_by_step(ranks=2, microbatch=2, start_step=4) == {4: whole[4], 5: whole[5]}


def test_tokens_are_counted_by_source() -> None:
    items = microbatches(
        PLAN, CountedRows(), RankShare(), lambda rows: None, microbatch=6, start_step=4
    )

    first = next(items)

    samples = np.arange(PLAN.span(4).start, PLAN.span(4).start + 6)
    lengths = samples % 3 + 1
    assert first.tokens_by_source.tolist() == [
        lengths[samples % 2 == 0].sum(),
        lengths[samples % 2 == 1].sum(),
    ]


def test_steps_are_handed_out_one_after_the_other() -> None:
    items = microbatches(
        PLAN, CountedRows(), RankShare(), lambda rows: None, microbatch=2, start_step=3
    )
    stream = StepStream(items, depth=2)

    numbers = [[item.number for item in stream.of_step(PLAN.span(step))] for step in (3, 4, 5)]

    assert numbers == [[0, 1], [0, 1, 2], [0, 1, 2]]
    assert list(stream.of_step(PLAN.span(5))) == []
    assert stream.waited_seconds >= 0
    stream.close()


def test_a_rank_without_rows_in_a_step_gets_none() -> None:
    items = microbatches(
        PLAN, CountedRows(), RankShare(rank=2, ranks=3), lambda rows: None, microbatch=2,
        start_step=0,
    )  # fmt: skip
    stream = StepStream(items, depth=1)

    counts = [sum(item.rows for item in stream.of_step(PLAN.span(step))) for step in range(6)]

    assert counts == [0, 1, 1, 1, 2, 2]
    stream.close()
