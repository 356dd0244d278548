"""Optimizers and schedules: rates that nobody named, settings that would do nothing."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.errors import SettingsError
from train.optim.peaks import ModelSize, with_peak
from train.refusals.facts import RunFacts
from train.settings import TrainSettings


def rate_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    """A peak that the recipe leaves open and nobody has published."""
    model, schedule = facts.model, settings.schedule
    if schedule.peak_lr is None and (model.width_ratio, model.depth_ratio) != (1.0, 1.0):
        yield (
            f"schedule.peak_lr: with model.mup_base_width {model.mup_base_width} it is the rate of the model "
            "of that width (and of mup_base_depth, where that is given); give a number"
        )
        return
    try:
        with_peak(schedule, settings.optimizer, ModelSize.of(model))
    except SettingsError as error:
        yield str(error)


# Constants of an optimizer, and which optimizers read them.
_READERS = {
    "eps": ("adamw",),
    "betas": ("adamw", "lion", "muon"),
    "momentum": ("sgd", "muon"),
}
_OLD_MOMENTUM = 0.9  # version 0.2 wrote it into the settings of every run


def idle_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    """Settings that would do nothing, which somebody wrote because they should."""
    optimizer, schedule = settings.optimizer, settings.schedule
    for name, readers in _READERS.items():
        value = getattr(optimizer, name)
        is_written = value is not None and (name, value) != ("momentum", _OLD_MOMENTUM)
        if is_written and optimizer.name not in readers:
            yield (
                f"optimizer.{name} {value}: {optimizer.name} has none; leave it out "
                f"({', '.join(readers)} read it)"
            )
    if schedule.decay_every is not None and schedule.lr_scheduler_type != "linear_warmup_step_lr":
        yield (
            f"schedule.decay_every {schedule.decay_every}: {schedule.lr_scheduler_type} has no decays; "
            "leave it out, or use linear_warmup_step_lr"
        )
    length = _run_length(settings, facts)
    if length is not None and schedule.warmup is not None and schedule.warmup > length:
        yield (
            f"schedule.warmup {schedule.warmup}: longer than the run of {length} {schedule.unit}, which "
            "would never reach schedule.peak_lr; shorten it"
        )


def _run_length(settings: TrainSettings, facts: RunFacts) -> int | None:
    """Length of the run in the schedule's unit, where it follows without a plan; else None."""
    stop, manifest, batch = settings.stop, facts.manifest, settings.batch
    if settings.schedule.unit == "steps" and stop.steps is not None:
        return stop.steps
    if manifest is None:
        return None
    tokens = stop.tokens
    if stop.epochs is not None:
        tokens = round(stop.epochs * manifest.train.rows * manifest.seq_len)
    if settings.schedule.unit == "tokens":
        per_step = batch.sequences * manifest.seq_len
        return stop.steps * per_step if stop.steps is not None and batch.ramp is None else tokens
    if tokens is None or batch.ramp is not None:
        return None
    return -(-tokens // (batch.sequences * manifest.seq_len))
