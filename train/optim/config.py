"""Settings of optimizer and schedule; imports nothing heavy."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.own_code import IMPORT_PATH
from schemas.settings import Settings

ScheduleName = Literal[
    "linear_warmup_cosine_lr",
    "linear_warmup_step_lr",
    "inverse_sqrt",
    "wsd",
    "wsd_sqrt",
    "constant",
]
# Stable at the peak, then a cool-down: linear, or by one minus a root.
COOLS_DOWN = ("wsd", "wsd_sqrt")
_LAVIS_SPELLINGS = {
    "linearwarmupcosinelr": "linear_warmup_cosine_lr",
    "linearwarmupsteplr": "linear_warmup_step_lr",
    "inversesqrt": "inverse_sqrt",
}


class ScheduleConfig(Settings):
    """Learning rate over the run: a warm-up to the peak, then a decay.

    Lengths are in optimizer steps, or in packed tokens where `unit: tokens`.
    """

    lr_scheduler_type: ScheduleName = Field(
        default="linear_warmup_cosine_lr",
        description="shape of the curve; the first two are LAVIS's, wsd stays at the peak and cools down: linearly, wsd_sqrt by "
        "one minus the root of the share that is done",
    )
    peak_lr: float | None = Field(
        default=None,
        gt=0,
        description="highest rate, reached at the end of the warm-up; null or auto: what was published for "
        "the optimizer and the model's size (`train plan` says the number and its source)",
    )
    min_lr: float = Field(default=0.0, ge=0, description="lowest rate after the warm-up")
    warmup_start_lr: float | None = Field(
        default=None,
        ge=0,
        description="rate of the warm-up's first step; null: the peak divided by the warm-up's steps, so "
        "that this step moves as well",
    )
    unit: Literal["steps", "tokens"] = Field(default="steps", description="unit of the lengths")
    warmup: int | None = Field(
        default=None,
        ge=0,
        description="length of the warm-up in `unit`; null: warmup_fraction of the run where the curve ends "
        "with it (cosine, wsd, wsd_sqrt), else none",
    )
    warmup_fraction: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        description="share of the run that the warm-up takes where `warmup` is null",
    )
    lr_decay_rate: float = Field(
        default=0.9, gt=0, le=1, description="linear_warmup_step_lr: factor of one decay"
    )
    decay_every: int | None = Field(
        default=None,
        gt=0,
        description="linear_warmup_step_lr: length between two decays; null: one pass over the data",
    )
    decay_fraction: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="wsd, wsd_sqrt: share of the run, at its end, in which the rate falls",
    )
    epochwise: bool = Field(
        default=False,
        description="as LAVIS published it: warm-up in the first pass, then one rate for each pass",
    )
    couple_to_batch: bool = Field(
        default=False,
        description="multiply by sqrt(batch / final batch) while batch.ramp grows the batch",
    )

    plugin: str | None = Field(
        default=None,
        pattern=IMPORT_PATH,
        description="`package.module:name` of a function of your own, (progress, config, **options) -> rate; it replaces lr_scheduler_type",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="named arguments of the plug-in; without one, none"
    )

    @property
    def peak(self) -> float:
        """The highest rate, of a schedule that has one (train/optim/peaks.py)."""
        assert self.peak_lr is not None
        return self.peak_lr

    @property
    def needs_end(self) -> bool:
        """Whether the curve depends on the length of the run."""
        return self.plugin is not None or self.lr_scheduler_type in (
            "linear_warmup_cosine_lr",
            *COOLS_DOWN,
        )

    @field_validator("lr_scheduler_type", mode="before")
    @classmethod
    def _spelling_of_lavis(cls, name: object) -> object:
        return _LAVIS_SPELLINGS.get(name.lower(), name) if isinstance(name, str) else name

    @field_validator("peak_lr", mode="before")
    @classmethod
    def _auto_is_null(cls, value: object) -> object:
        return None if value == "auto" else value

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        peak = math.inf if self.peak_lr is None else self.peak_lr
        if self.min_lr > peak:
            raise ValueError(f"need min_lr <= peak_lr, got {self.min_lr} and {self.peak_lr}")
        if self.warmup_start_lr is not None and self.warmup_start_lr > peak:
            raise ValueError(
                f"need warmup_start_lr <= peak_lr, got {self.warmup_start_lr} and {self.peak_lr}"
            )
        if self.epochwise and not self.lr_scheduler_type.startswith("linear_warmup"):
            raise ValueError(
                f"epochwise is a rule of linear_warmup_*, not {self.lr_scheduler_type}"
            )
        return self


class OptimizerConfig(Settings):
    """The optimizer and its constants; null stands for the optimizer's published default."""

    name: Literal["adamw", "adafactor", "sgd", "lion", "muon"] = Field(
        default="adamw", description="muon: for matrices between hidden units; adamw for all else"
    )
    betas: tuple[float, float] | None = Field(
        default=None, description="decay of the means of gradients and of their squares"
    )
    eps: float | None = Field(default=None, gt=0, description="added to the divisor of an update")
    momentum: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="of sgd and muon, others have betas; null: 0.9 for sgd, 0.95 for muon (Jordan et al. 2024)",
    )
    weight_decay: float = Field(
        default=0.1, ge=0, description="a step shrinks weights by this share times the rate"
    )
    decay_exclude: tuple[str, ...] = Field(
        default=("bias", "norm"),
        description="parts of names; parameters with one of them do not decay. Vectors and T5's "
        "table of relative positions never do: both are biases or scales",
    )
    l1: float | None = Field(
        default=None,
        gt=0,
        description="penalty on the absolute values of weights that decay; null: none",
    )
    l2: float | None = Field(
        default=None,
        gt=0,
        description="penalty on half the squares of weights that decay, through their gradient, "
        "where weight_decay shrinks the weights themselves; null: none",
    )
    max_grad_norm: float | None = Field(
        default=1.0, gt=0, description="longer gradients are scaled down to this norm; null: never"
    )
    plugin: str | None = Field(
        default=None,
        pattern=IMPORT_PATH,
        description="`package.module:name` of your own, (groups, lr, **options) -> torch optimizer; it replaces name, betas, eps and momentum",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="named arguments of the plug-in; without one, none"
    )

    @property
    def momentum_or_default(self) -> float:
        """The momentum of sgd or muon."""
        if self.momentum is not None:
            return self.momentum
        return 0.95 if self.name == "muon" else 0.9
