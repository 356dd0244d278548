"""Batches, rows and micro-batches that ranks and pipelines cannot share out."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.errors import SettingsError
from train.model.config import ModelConfig
from train.refusals.facts import RunFacts
from train.settings import TrainSettings


def _batch_sizes(settings: TrainSettings) -> list[int]:
    """Every global batch that the run will see, in rows."""
    ramp = settings.batch.ramp
    sizes = {settings.batch.sequences}
    if ramp is not None:
        sizes |= set(range(ramp.start_sequences, settings.batch.sequences, ramp.quantum))
    return sorted(sizes)


def _data_ranks(settings: TrainSettings, world_size: int) -> int | None:
    """Ranks that read different rows; None where the degrees do not fit the world."""
    try:
        return settings.parallel.data_ranks(world_size)
    except SettingsError:
        return None


def batch_faults(settings: TrainSettings, world_size: int) -> Iterator[str]:
    """Batches that sharded ranks cannot share, for they talk in every forward pass; too few rows."""
    data_ranks = _data_ranks(settings, world_size)
    if settings.parallel.dp_shard == 1 or data_ranks is None:
        return
    for size in _batch_sizes(settings):
        if size % data_ranks:
            yield (
                f"batch: {size} sequences do not split over {data_ranks} data ranks with "
                f"dp_shard > 1; use a multiple of {data_ranks}"
            )


def row_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    """A dataset whose rows a single step would read more than once, or that has nothing held out."""
    manifest = facts.manifest
    if manifest is None:
        return
    rows, batch = manifest.train.rows, settings.batch.sequences
    if rows < batch:
        yield (
            f"batch.sequences {batch}: the training split of {manifest.name} has {rows} rows, so one "
            f"step would read them {batch / max(rows, 1):.1f} times; use at most {rows}, or pack more"
        )
    if settings.evaluation is not None and not manifest.heldout.rows:
        yield (
            f"evaluation: {manifest.name} has no held-out rows; set evaluation: null, or pack some"
        )


def pipeline_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    parallel, model = settings.parallel, facts.model
    if parallel.pp == 1:
        return
    if parallel.pipeline_schedule == "zero_bubble":
        yield from _zero_bubble_faults(settings, model)
    is_counted_apart = model.family == "t5" or settings.recompute != "none"
    if model.norm == "batchnorm" and is_counted_apart:
        yield (
            f"model.norm: batchnorm in a {model.family} with recompute {settings.recompute} would "
            f"count the padding of other micro-batches on pp {parallel.pp}; use another norm or pp: 1"
        )
    layers = model.num_layers * (2 if model.family == "t5" else 1)
    if parallel.num_stages > layers:
        yield (
            f"parallel.pp: {parallel.num_stages} stages, but the model has {layers} layers; lower "
            "parallel.pp or parallel.stages_per_rank"
        )
    data_ranks = _data_ranks(settings, facts.world_size)
    if data_ranks is not None:
        yield from _microbatch_faults(settings, data_ranks)


def _zero_bubble_faults(settings: TrainSettings, model: ModelConfig) -> Iterator[str]:
    """What cannot follow a backward pass that is split: first to the inputs, later to the weights."""
    parallel = settings.parallel
    if model.family == "t5":
        yield (
            "parallel.pipeline_schedule: zero_bubble splits the backward pass, which torch cannot do "
            "for stages with cross attention or a shared bias; for t5 use gpipe, 1f1b or interleaved"
        )
    if parallel.dp_shard > 1:
        yield (
            "parallel.pipeline_schedule: zero_bubble splits the backward pass, which FSDP2's hooks "
            f"cannot follow; for pp {parallel.pp} with dp_shard {parallel.dp_shard} use gpipe, 1f1b "
            "or interleaved"
        )
    if parallel.sequence_parallel:
        yield (
            "parallel.pipeline_schedule: zero_bubble splits the backward pass at the stages' outputs, "
            "which sequence_parallel joins from the parts of tensor ranks; use gpipe, 1f1b or "
            "interleaved, or sequence_parallel: false"
        )
    if settings.recompute == "selective":
        yield (
            "recompute: selective keeps what one backward pass reads, and "
            "parallel.pipeline_schedule zero_bubble goes through each block twice; use "
            "recompute: full, or 1f1b"
        )


def _microbatch_faults(settings: TrainSettings, data_ranks: int) -> Iterator[str]:
    """Numbers of micro-batches that a pipeline's schedule cannot order."""
    parallel = settings.parallel
    unit = data_ranks * settings.batch.microbatch
    for size in _batch_sizes(settings):
        if size % unit:
            yield (
                f"batch: {size} sequences are no multiple of {data_ranks} data ranks x "
                f"microbatch {settings.batch.microbatch}, as pp {parallel.pp} needs"
            )
            continue
        count = size // unit
        if parallel.pipeline_schedule != "gpipe" and count < parallel.pp:
            yield (
                f"parallel.pipeline_schedule: {parallel.pipeline_schedule} needs at least {parallel.pp} micro-batches "
                f"per rank and step for pp {parallel.pp}, got {count}; lower batch.microbatch or "
                "raise batch.sequences"
            )
        looped = parallel.pipeline_schedule in ("interleaved", "zero_bubble")
        if looped and count % max(1, count // parallel.pp):
            yield (
                f"parallel.pipeline_schedule: {parallel.pipeline_schedule} with pp {parallel.pp} takes multiples of "
                f"{parallel.pp} micro-batches per rank and step, got {count}; change "
                "batch.sequences or batch.microbatch"
            )
