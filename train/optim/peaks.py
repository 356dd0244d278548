"""The peak of the learning rate where a recipe names none: what was published for optimizer and size.

AdamW's rate falls with the size of the model: from 125 million parameters on by table 2.1 of Brown et al.
2020 (GPT-3), between its sizes on straight lines of the logarithms; below by the rule of Kaplan et al. 2020,
equation D.1: 0.003239 - 0.0001395 ln N, where N are the parameters without embeddings (section 1.3). It meets the
table to a sixth: GPT-2 small, with 124 million parameters of which 85 are no embeddings, gets 6.9e-4, GPT-3's 125 million
6.0e-4. The other rates follow from these, or have no size in them. All are for new weights; weights that are trained
on are usually given less.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from schemas.errors import SettingsError
from train.model.config import ModelConfig
from train.optim.config import OptimizerConfig, ScheduleConfig

# Brown et al. 2020, table 2.1: parameters and learning rate.
_GPT3 = (
    (125e6, 6.0e-4),
    (350e6, 3.0e-4),
    (760e6, 2.5e-4),
    (1.3e9, 2.0e-4),
    (2.7e9, 1.6e-4),
    (6.7e9, 1.2e-4),
    (13e9, 1.0e-4),
    (175e9, 0.6e-4),
)
# Chen et al. 2023, section 5: a rate 3 to 10 times smaller than AdamW's.
_LION_DIVISOR = 5


@dataclass(frozen=True, kw_only=True)
class ModelSize:
    """Number of parameters, and how many of them are embeddings: of tokens, positions, the head."""

    parameters: int
    embeddings: int = 0

    @classmethod
    def of(cls, shape: ModelConfig) -> ModelSize:
        """The size of one of our models."""
        return cls(parameters=shape.num_parameters(), embeddings=shape.num_embedding_parameters())


@dataclass(frozen=True, kw_only=True)
class PeakRate:
    """A learning rate, rounded to two digits, and where it comes from."""

    value: float
    source: str


def published_peak(optimizer: OptimizerConfig, size: ModelSize) -> PeakRate:
    """The peak that was published for an optimizer and a size of model.

    Raises:
        SettingsError: None was: for sgd, and for an optimizer of the recipe's own.
    """
    rate, source = _adamw_rate(size)
    name = optimizer.plugin or optimizer.name
    match name:
        case "adamw":
            pass
        case "muon":
            source += ", which holds for muon in the scale of Liu et al. 2025, section 2.2"
        case "lion":
            rate, source = (
                rate / _LION_DIVISOR,
                f"a fifth of adamw's (Chen et al. 2023, section 5: 3 to 10 times smaller) by {source}",
            )
        case "adafactor":
            rate, source = 1e-2, "Raffel et al. 2020, section 3.1.2, relative to the weights"
        case _:
            raise SettingsError(
                f"schedule.peak_lr: none is published for {name} at every size; give a number"
            )
    return PeakRate(value=float(f"{rate:.1e}"), source=source)


def with_peak(
    schedule: ScheduleConfig, optimizer: OptimizerConfig, size: ModelSize
) -> ScheduleConfig:
    """The schedule with a number for its peak: its own, or the published one.

    Raises:
        SettingsError: There is none, or the schedule's other rates are above it.
    """
    if schedule.peak_lr is not None:
        return schedule
    peak = published_peak(optimizer, size)
    for name in ("min_lr", "warmup_start_lr"):
        value = getattr(schedule, name)
        if value is not None and value > peak.value:
            raise SettingsError(
                f"schedule.{name} {value}: above the peak of {peak.value} ({peak.source}); lower it, or "
                "give schedule.peak_lr"
            )
    return schedule.model_copy(update={"peak_lr": peak.value})


def _adamw_rate(size: ModelSize) -> tuple[float, str]:
    parameters, sizes = size.parameters, [parameters for parameters, _ in _GPT3]
    if parameters < sizes[0]:
        rate = 0.003239 - 0.0001395 * math.log(max(parameters - size.embeddings, 1))
        return rate, "Kaplan et al. 2020, equation D.1"
    upper = min(bisect_right(sizes, parameters), len(sizes) - 1)
    (low, rate), (high, next_rate) = _GPT3[upper - 1], _GPT3[upper]
    share = min(math.log(parameters / low) / math.log(high / low), 1.0)
    return rate * (next_rate / rate) ** share, "Brown et al. 2020, table 2.1"
