"""Batches of a run: ramp, quantum, ends."""

from __future__ import annotations

from train.data.config import BatchConfig, BatchRamp
from train.loop.plan import RunPlan
from train.settings import StopConfig

RAMP = BatchConfig(
    sequences=32,
    microbatch=4,
    ramp=BatchRamp(start_sequences=8, over_tokens=10_000, quantum=8),
)


def test_ramp_grows_by_the_quantum_and_steps_join_without_gaps() -> None:
    plan = RunPlan(batch=RAMP, stop=StopConfig(tokens=40_000), seq_len=16, rows_per_pass=999)
    spans = [plan.span(step) for step in range(plan.total_steps)]

    counts = [span.count for span in spans]
    assert counts[0] == 8
    assert counts[-1] == 32
    assert counts == sorted(counts)
    assert all(count % 8 == 0 for count in counts)
    assert [a.start + a.count for a in spans[:-1]] == [b.start for b in spans[1:]]
    assert spans[-1].start < 40_000 / 16 <= spans[-1].start + spans[-1].count


def test_passes_count_rows() -> None:
    batch = BatchConfig(sequences=10, microbatch=2)
    plan = RunPlan(batch=batch, stop=StopConfig(epochs=2), seq_len=16, rows_per_pass=25)

    assert plan.total_steps == 5
    assert plan.total_samples == 50


def test_a_later_stage_reads_on_and_counts_from_its_own_beginning() -> None:
    batch = BatchConfig(sequences=10, microbatch=2)
    plan = RunPlan(
        batch=batch, stop=StopConfig(steps=3), seq_len=16, rows_per_pass=25, first_sample=40
    )

    assert [plan.span(step).start for step in range(3)] == [40, 50, 60]
    assert plan.total_samples == 30
    assert plan.progress(1).tokens == 160
