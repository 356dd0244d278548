"""A rank's micro-batches: each sample of its share once, handed out step by step."""

from __future__ import annotations

import pytest

from train.data.config import BatchConfig
from train.data.cursor import Int64s, RankShare
from train.data.packed import PackedRows
from train.distributed.environment import world_size_of_environment
from train.loop.plan import RunPlan
from train.loop.stream import StepStream, microbatches
from train.selftest.cases import make_rows
from train.settings import StopConfig

PLAN = RunPlan(
    batch=BatchConfig(sequences=6, microbatch=2),
    stop=StopConfig(steps=3),
    seq_len=26,
    rows_per_pass=100,
)


class Rows:
    def read(self, samples: Int64s) -> PackedRows:
        return make_rows(samples)


def stream_of(share: RankShare, *, start_step: int = 0) -> StepStream:
    items = microbatches(
        PLAN,
        Rows(),
        share,
        lambda rows: rows.sample_index.tolist(),
        microbatch=2,
        start_step=start_step,
    )
    return StepStream(items, depth=2)


def samples_of(stream: StepStream, step: int) -> list[list[int]]:
    return [item.content for item in stream.of_step(PLAN.span(step))]


def test_each_step_gets_its_own_samples_in_microbatches() -> None:
    stream = stream_of(RankShare())

    assert samples_of(stream, 0) == [[0, 1], [2, 3], [4, 5]]
    assert samples_of(stream, 1) == [[6, 7], [8, 9], [10, 11]]
    stream.close()


def test_ranks_share_the_samples_of_a_step() -> None:
    streams = [stream_of(RankShare(rank=rank, ranks=2)) for rank in range(2)]
    read = [sample for stream in streams for items in samples_of(stream, 0) for sample in items]

    assert sorted(read) == [0, 1, 2, 3, 4, 5]
    for stream in streams:
        stream.close()


def test_a_resumed_run_begins_with_its_step() -> None:
    stream = stream_of(RankShare(), start_step=2)

    assert samples_of(stream, 2) == [[12, 13], [14, 15], [16, 17]]
    stream.close()


def test_tokens_are_counted_by_source_without_padding() -> None:
    stream = stream_of(RankShare())
    item = next(stream.of_step(PLAN.span(0)))

    assert 2 * 13 <= float(item.tokens_by_source.sum()) <= 2 * 26
    assert len(item.tokens_by_source) == 2
    stream.close()


@pytest.mark.parametrize(("announced", "ranks"), [(None, 1), ("4", 4)])
def test_the_world_is_what_torchrun_announces(
    announced: str | None, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if announced is not None:
        monkeypatch.setenv("WORLD_SIZE", announced)

    assert world_size_of_environment() == ranks
