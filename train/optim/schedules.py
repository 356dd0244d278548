"""Learning rates as pure functions of progress, so that a plan can be drawn before the run.

`linear_warmup_cosine_lr` and `linear_warmup_step_lr` carry LAVIS's names (lavis/common/optims.py);
with `epochwise` they are its published rule, which changes once per pass and warms up in the first
one only. `wsd` is warm-up, stable, decay (MiniCPM, Hu et al. 2024), `wsd_sqrt` the same with the cool-down 1 - sqrt(share
that is done) of Hägele et al. 2024, which falls fast at first; `inverse_sqrt` is T5's
(Raffel et al. 2020): 1/sqrt(max(t, warm-up)), scaled to be `peak_lr` where the warm-up ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from schemas.errors import SettingsError
from schemas.own_code import load_own
from train.optim.config import ScheduleConfig


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is. Steps and tokens count what is done before the coming update."""

    step: int
    tokens: int
    total_steps: int
    total_tokens: int
    tokens_per_pass: int
    step_in_pass: int
    batch_fraction: float = 1.0

    @property
    def passes(self) -> int:
        """Number of whole passes over the data that are done."""
        return self.tokens // self.tokens_per_pass

    @property
    def total_passes(self) -> int:
        """Number of passes that the run will begin."""
        return max(1, math.ceil(self.total_tokens / self.tokens_per_pass))


def learning_rate(progress: Progress, config: ScheduleConfig) -> float:
    """The rate of the update that comes after `progress`; `min_lr` is a floor after the warm-up.

    Raises:
        SettingsError: The recipe's own schedule cannot be imported, or gives no rate.
    """
    if config.plugin is not None:
        return _own_rate(config.plugin, progress, config)
    rate = _epochwise(progress, config) if config.epochwise else _by_unit(progress, config)
    if config.couple_to_batch:
        rate *= math.sqrt(progress.batch_fraction)
    return rate


def _own_rate(path: str, progress: Progress, config: ScheduleConfig) -> float:
    rate = load_own(path, where="schedule.plugin")(progress, config, **config.options)
    if not isinstance(rate, int | float) or not 0 <= rate < math.inf:
        raise SettingsError(
            f"schedule.plugin: {path} gave {rate!r} at step {progress.step}; expected a rate of 0 or more"
        )
    return float(rate)


def _by_unit(progress: Progress, config: ScheduleConfig) -> float:
    tokens = config.unit == "tokens"
    now = progress.tokens if tokens else progress.step
    total = progress.total_tokens if tokens else progress.total_steps
    warmup = warmup_length(config, total)
    config = config.model_copy(update={"warmup": warmup})
    if now < warmup:
        step_length = progress.total_tokens / progress.total_steps if tokens else 1.0
        return _warm(now, warmup, step_length, config)
    return max(config.min_lr, _RULES[config.lr_scheduler_type](now, total, progress, config))


def warmup_length(config: ScheduleConfig, total: int) -> int:
    """Length of the warm-up of a run of a length, both in the schedule's unit."""
    if config.warmup is not None:
        return config.warmup
    return round(config.warmup_fraction * total) if config.needs_end else 0


def _warm(now: int, warmup: int, step_length: float, config: ScheduleConfig) -> float:
    start = config.warmup_start_lr
    if start is None:
        start = config.peak * min(step_length / max(warmup, 1), 1.0)
    return min(config.peak, start + (config.peak - start) * now / max(warmup, 1))


def _cosine(now: int, total: int, progress: Progress, config: ScheduleConfig) -> float:
    warmup = config.warmup or 0
    share = min((now - warmup) / max(total - warmup, 1), 1.0)
    return config.min_lr + (config.peak - config.min_lr) * 0.5 * (1 + math.cos(math.pi * share))


def _steps(now: int, total: int, progress: Progress, config: ScheduleConfig) -> float:
    # Counted from the end of the warm-up, so that the peak is reached whatever the two lengths are.
    warm = config.warmup or 0
    decays = progress.passes if config.decay_every is None else (now - warm) // config.decay_every
    return config.peak * config.lr_decay_rate**decays


def _inverse_sqrt(now: int, total: int, progress: Progress, config: ScheduleConfig) -> float:
    turn = max(config.warmup or 0, 1)
    return config.peak * math.sqrt(turn / max(now, turn))


def _wsd(now: int, total: int, progress: Progress, config: ScheduleConfig) -> float:
    return config.min_lr + (config.peak - config.min_lr) * _cooldown_left(now, total, config)


def _wsd_sqrt(now: int, total: int, progress: Progress, config: ScheduleConfig) -> float:
    kept = 1 - math.sqrt(1 - _cooldown_left(now, total, config))
    return config.min_lr + (config.peak - config.min_lr) * kept


def _cooldown_left(now: int, total: int, config: ScheduleConfig) -> float:
    """Share of the cool-down that is to come; 1 before it."""
    begin = total - config.decay_fraction * total
    return 1.0 if now < begin else max(total - now, 0) / max(total - begin, 1)


def _constant(now: int, total: int, progress: Progress, config: ScheduleConfig) -> float:
    return config.peak


_RULES: dict[str, Callable[[int, int, Progress, ScheduleConfig], float]] = {
    "linear_warmup_cosine_lr": _cosine,
    "linear_warmup_step_lr": _steps,
    "inverse_sqrt": _inverse_sqrt,
    "wsd": _wsd,
    "wsd_sqrt": _wsd_sqrt,
    "constant": _constant,
}


def _epochwise(progress: Progress, config: ScheduleConfig) -> float:
    """LAVIS's rule. A warm-up longer than the first pass is cut there, as published."""
    if progress.passes == 0:
        return _warm(progress.step_in_pass, config.warmup or 0, 1.0, config)
    if config.lr_scheduler_type == "linear_warmup_step_lr":
        return max(config.min_lr, config.peak * config.lr_decay_rate**progress.passes)
    share = progress.passes / progress.total_passes
    return config.min_lr + (config.peak - config.min_lr) * 0.5 * (1 + math.cos(math.pi * share))
