"""Settings of detectors and of what follows a spike; imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.settings import Settings

Signal = Literal["loss", "log_grad_norm", "row_loss"]
ActionKind = Literal["note", "skip_update", "skip_batches", "roll_back", "rewarm", "stop"]
NotFiniteAction = Literal["stop", "skip_update", "roll_back"]


class SigmaConfig(Settings):
    """Standard deviations above the mean of a window."""

    sigmas: float = Field(default=6.0, gt=0, description="deviations that count as a spike")
    kind: Literal["sigma"] = "sigma"
    signal: Signal = Field(default="log_grad_norm", description="what is watched")
    window: int = Field(default=128, gt=1, description="steps of the window")
    min_values: int = Field(default=64, gt=1, description="values without which it does not judge")
    includes_current: bool = Field(
        default=False,
        description="OLMo-core's step skipper: the judged value and skipped ones are in the window, "
        "deviation by n - 1; false: accepted values alone, deviation by n",
    )

    @model_validator(mode="after")
    def _window_can_judge(self) -> Self:
        if self.min_values > self.window:
            raise ValueError(f"min_values {self.min_values} never fit into window {self.window}")
        size = self.window + 1
        most = (size - 1) / size**0.5
        if self.includes_current and self.sigmas >= most:
            raise ValueError(
                f"sigmas {self.sigmas:g}: a value inside its own window of {size} is never more than "
                f"{most:.1f} deviations above the mean; use a smaller bound or includes_current: false"
            )
        return self


class MadConfig(Settings):
    """Distance from a running median, in median absolute deviations: one wild value moves neither."""

    k: float = Field(default=8.0, gt=0, description="deviations that count as a spike")
    kind: Literal["mad"] = "mad"
    signal: Signal = Field(default="loss", description="what is watched")
    median_of: int = Field(default=16, gt=2, description="accepted values that the median is of")
    scale_of: int = Field(
        default=128, gt=7, description="distances from their medians that the deviation is of"
    )


class MaxOfFirstConfig(Settings):
    """A multiple of the largest of the first values (Megatron-LM's rerun state machine)."""

    first: int = Field(default=100, gt=0, description="values that the largest is of")
    kind: Literal["max_of_first"] = "max_of_first"
    signal: Literal["loss"] = Field(default="loss", description="what is watched")
    factor: float = Field(default=10.0, gt=1, description="multiple that counts as a spike")


class LastingConfig(Settings):
    """Divergence: the median of the last losses lies this much above the lowest such median."""

    window: int = Field(default=64, gt=2, description="steps that the median is of")
    kind: Literal["lasting"] = "lasting"
    signal: Literal["loss"] = Field(default="loss", description="what is watched")
    factor: float = Field(default=1.2, gt=1, description="multiple that counts as divergence")


DetectorConfig = Annotated[
    SigmaConfig | MadConfig | MaxOfFirstConfig | LastingConfig, Field(discriminator="kind")
]

ROBUST: tuple[DetectorConfig, ...] = (
    MadConfig(signal="loss"),
    SigmaConfig(signal="log_grad_norm"),
    LastingConfig(),
)


class ActionConfig(Settings):
    """What follows a spike; what a kind does not use stays at its default."""

    kind: ActionKind = Field(
        default="skip_update",
        description="note: only the event; skip_update: weights and states stay as they were; "
        "skip_batches: and the batches that follow are jumped over; roll_back: go back to a checkpoint and "
        "jump over the batches from there; rewarm: skip, then let the rate climb again; stop: end the run",
    )
    steps_back: int = Field(
        default=0,
        ge=0,
        description="roll_back: steps before the spike that the checkpoint lies at least",
    )
    batches: int = Field(
        default=0, ge=0, description="skip_batches, roll_back: batches that are jumped over"
    )
    rate_scale: float = Field(
        default=1.0, gt=0, le=1, description="factor of the rate from then on; they multiply"
    )
    rewarm_steps: int = Field(
        default=0,
        ge=0,
        description="rewarm, roll_back: steps in which the rate climbs from 0 again",
    )

    @model_validator(mode="after")
    def _says_how_much(self) -> Self:
        if self.kind == "skip_batches" and not self.batches:
            raise ValueError("skip_batches needs batches: how many are jumped over")
        if self.kind == "rewarm" and not self.rewarm_steps:
            raise ValueError("rewarm needs rewarm_steps: over how many steps the rate climbs")
        if self.kind in ("note", "skip_update", "stop") and (self.batches or self.rewarm_steps):
            raise ValueError(f"{self.kind} jumps over no batch and warms nothing up")
        if self.kind != "roll_back" and self.steps_back:
            raise ValueError(f"steps_back belongs to roll_back, not to {self.kind}")
        return self


class StabilityConfig(Settings):
    """Detectors of spikes and what is done; `policy` fills in what somebody published."""

    policy: str | None = Field(
        default=None,
        description="olmo, palm, opt, bloom, glm: a published policy; it gives what is not set here",
    )
    detectors: tuple[DetectorConfig, ...] = Field(
        default=ROBUST, min_length=1, description="each alone can tell of a spike"
    )
    action: ActionConfig = ActionConfig()
    not_finite: NotFiniteAction = Field(
        default="stop", description="what follows a loss or gradient that is no number"
    )
    shift_after: int = Field(
        default=8,
        gt=1,
        description="spikes in a row after which a detector takes them for the new level",
    )
    max_actions: int = Field(
        default=20,
        gt=0,
        description="actions after which the run stops, for a person to look at it",
    )
    embedding_gradient_scale: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="factor of the gradient that reaches the token embedding as input (GLM-130B: 0.1); "
        "null: none",
    )

    @model_validator(mode="before")
    @classmethod
    def _published(cls, values: object) -> object:
        if not isinstance(values, dict) or values.get("policy") is None:
            return values
        from train.stability.policies import published  # its table is made of this class

        return {**published(str(values["policy"])), **values}

    @property
    def goes_back(self) -> bool:
        """Whether it may return to an earlier checkpoint."""
        return self.action.kind == "roll_back" or self.not_finite == "roll_back"

    @property
    def reads_rows(self) -> bool:
        """Whether a detector watches the worst row of a step."""
        return any(detector.signal == "row_loss" for detector in self.detectors)
