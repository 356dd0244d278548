"""Settings of optimizer and schedule; imports nothing heavy."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.settings import Settings

ScheduleName = Literal[
    "linear_warmup_cosine_lr", "linear_warmup_step_lr", "inverse_sqrt", "wsd", "constant"
]
_SPELLINGS = {
    "linearwarmupcosinelr": "linear_warmup_cosine_lr",
    "linearwarmupsteplr": "linear_warmup_step_lr",
    "inversesqrt": "inverse_sqrt",
}


class ScheduleConfig(Settings):
    """Learning rate as a function of progress; the names are those of LAVIS where it has them.

    Lengths are in optimizer steps, or in tokens where `unit: tokens`.
    """

    lr_scheduler_type: ScheduleName = "linear_warmup_cosine_lr"
    peak_lr: float = Field(default=3e-4, gt=0, description="peak, reached after the warm-up")
    min_lr: float = Field(default=0.0, ge=0, description="a floor for every schedule")
    warmup_start_lr: float = Field(default=0.0, ge=0, description="where the warm-up starts")
    unit: Literal["steps", "tokens"] = "steps"
    warmup: int = Field(default=0, ge=0, description="length of the warm-up in `unit`")
    lr_decay_rate: float = Field(default=0.9, gt=0, le=1, description="factor of the step schedule")
    decay_every: int | None = Field(
        default=None, gt=0, description="step schedule: one decay per so many units; null: per pass"
    )
    decay_fraction: float = Field(
        default=0.1, gt=0, le=1, description="wsd: share of the run that cools down at its end"
    )
    epochwise: bool = Field(
        default=False,
        description="the published LAVIS rule: warm-up in the first pass only, then per pass",
    )
    couple_to_batch: bool = Field(
        default=False, description="multiply by sqrt(batch / final batch) while the batch ramps"
    )

    @property
    def needs_end(self) -> bool:
        """Whether the curve depends on the length of the run."""
        return self.lr_scheduler_type in ("linear_warmup_cosine_lr", "wsd")

    @field_validator("lr_scheduler_type", mode="before")
    @classmethod
    def _familiar_spelling(cls, name: object) -> object:
        return _SPELLINGS.get(name.lower(), name) if isinstance(name, str) else name

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_lr > self.peak_lr:
            raise ValueError(f"need min_lr <= peak_lr, got {self.min_lr} and {self.peak_lr}")
        if self.warmup_start_lr > self.peak_lr:
            raise ValueError(
                f"need warmup_start_lr <= peak_lr, got {self.warmup_start_lr} and {self.peak_lr}"
            )
        if self.epochwise and not self.lr_scheduler_type.startswith("linear_warmup"):
            raise ValueError(
                f"epochwise is a rule of linear_warmup_*, not {self.lr_scheduler_type}"
            )
        return self


class OptimizerConfig(Settings):
    """Which optimizer, with its constants; `null` means that optimizer's published default."""

    name: Literal["adamw", "adafactor", "sgd", "lion", "muon"] = "adamw"
    betas: tuple[float, float] | None = None
    eps: float | None = Field(default=None, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1, description="sgd and muon")
    weight_decay: float = Field(default=0.1, ge=0)
    decay_exclude: tuple[str, ...] = Field(
        default=("bias", "norm"),
        description="parameters with such a part in their name, and all vectors, do not decay",
    )
    l1: float | None = Field(
        default=None, gt=0, description="penalty on the sum of sizes of what decays: adds l1 * sign"
    )
    l2: float | None = Field(
        default=None,
        gt=0,
        description="penalty on half the sum of squares of what decays: adds l2 * weight to its "
        "gradient, where weight_decay shrinks the weight itself",
    )
    max_grad_norm: float | None = Field(
        default=1.0, gt=0, description="clip the gradient; null: never"
    )
