"""The training recipe: strict settings from YAML and `--set`, read before torch is imported."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from schemas.settings import Settings, parse_settings
from schemas.yaml_files import read_yaml
from train.aliases import translate_recipe
from train.checkpoint.config import CheckpointConfig
from train.data.config import BatchConfig, DataSpan, LoaderConfig
from train.evaluation.config import TasksConfig
from train.optim.config import OptimizerConfig, ScheduleConfig
from train.parallel.config import (
    AsynchronousConfig,
    Compute,
    DilocoConfig,
    ParallelConfig,
    Recompute,
    StrategyRequest,
)
from train.report.config import SinkConfig
from train.stability.config import StabilityConfig
from train.supervisor.config import SupervisionConfig
from train.warm_start.config import StartRequest, Trainable, WarmStartConfig

logger = logging.getLogger(__name__)


class StopConfig(Settings):
    """The end of the run, by exactly one of the three."""

    steps: int | None = Field(default=None, gt=0, description="optimizer steps")
    tokens: int | None = Field(default=None, gt=0, description="packed tokens, padding included")
    epochs: float | None = Field(default=None, gt=0, description="passes over the manifest")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        named = [name for name in ("steps", "tokens", "epochs") if getattr(self, name) is not None]
        if len(named) != 1:
            raise ValueError(f"give exactly one of steps, tokens and epochs, got {named or 'none'}")
        return self


class PrecisionConfig(Settings):
    """The type that forward and backward compute in; weights and optimizer states stay fp32."""

    compute: Compute = Field(
        default="auto",
        description="auto: bf16 where the hardware has it, else fp32 with the reason logged",
    )
    tf32: bool = Field(
        default=True,
        description="on CUDA, products of fp32 matrices with TF32's 10 bits after the point",
    )
    initial_scale: float = Field(default=65536.0, gt=0, description="fp16: the first loss scale")
    growth_interval: int = Field(
        default=2000, gt=0, description="fp16: steps without overflow until the scale doubles"
    )


class EvaluationConfig(Settings):
    """Loss on the held-out split during training, and scores on tasks."""

    every_steps: int | None = Field(
        default=None, gt=0, description="null: at the end of the run only"
    )
    max_rows: int | None = Field(
        default=None,
        gt=0,
        description="rows that are read, from every source its share; null: the whole split",
    )
    microbatch: int = Field(default=8, gt=0, description="rows of a forward pass on one rank")
    tasks: TasksConfig | None = Field(
        default=None, description="tasks at checkpoints and at the end; null: none"
    )


class MetricsConfig(Settings):
    """The metrics that are written while training."""

    every_steps: int = Field(default=1, gt=0, description="steps between two lines of metrics")
    tensorboard: bool = Field(default=True, description="write event files to tensorboard/ as well")
    sinks: tuple[SinkConfig, ...] = Field(
        default=(),
        description="programs that are told of each step as well: wandb, mlflow, your own",
    )
    peak_flops: float | None = Field(
        default=None,
        gt=0,
        description="operations per second of one rank, for MFU; null: from the data sheet or measured",
    )


class ActivationBlendConfig(Settings):
    """An activation that takes over from the one before over some steps; `train swap` writes it."""

    before: Literal["gelu_tanh", "gelu", "relu", "swiglu", "geglu"] = Field(
        description="the activation that gives way to model.activation"
    )
    from_step: int = Field(gt=0, description="the first step in which the new one takes part")
    steps: int = Field(ge=0, description="steps until it is alone; 0: at once")

    @property
    def until_step(self) -> int:
        """The first step with the new activation alone, or the one after `from_step`."""
        return self.from_step + max(self.steps, 1)


class TrainSettings(Settings):
    """One run of training. Paths are relative to the working directory."""

    manifest: str = Field(description="manifest.json, or the folder that holds it")
    data: tuple[DataSpan, ...] | None = Field(
        default=None,
        min_length=1,
        description="several manifests in turn, each until a token of the run; replaces `manifest`",
    )
    output: str = Field(description="folder of the run")
    seed: int = Field(default=1, description="of new weights, order, dropout and noise")
    model: dict[str, Any] = Field(
        default_factory=lambda: {"preset": "gpt2-tiny"},
        description="a preset, and fields that change it",
    )
    warm_start: WarmStartConfig | None = Field(
        default=None, description="weights to start from; null: new weights"
    )
    trainable: Trainable = Field(
        default="all",
        description="what is trained; new_embeddings: the rows of tokens that the base lacks",
    )
    phases: tuple[dict[str, Any], ...] | None = Field(
        default=None,
        min_length=1,
        description="changes of this recipe, one set for each phase; a phase starts from the "
        "weights of the one before",
    )
    first_sample: int = Field(
        default=0, ge=0, description="samples of the data's order that an earlier phase read"
    )
    objective: dict[str, Any] = Field(
        default_factory=lambda: {"name": "causal"},
        description="name of the objective, and its settings (see below)",
    )
    activation_blend: ActivationBlendConfig | None = Field(
        default=None, description="null: model.activation is that of every step"
    )
    batch: BatchConfig = BatchConfig()
    stop: StopConfig
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    precision: PrecisionConfig = PrecisionConfig()
    recompute: Recompute = Field(
        default="none",
        description="what the backward pass computes again: nothing, all but matrix products, or blocks",
    )
    compile: bool = Field(default=False, description="compile each block with torch.compile")
    parallel: ParallelConfig = ParallelConfig()
    asynchronous: AsynchronousConfig | None = Field(
        default=None,
        description="asynchronous SGD on parameter servers; null: all ranks step together",
    )
    diloco: DilocoConfig | None = Field(
        default=None,
        description="data ranks step alone and average their changes now and then (DiLoCo); null: they "
        "average gradients at each step",
    )
    stability: StabilityConfig | None = Field(
        default=None,
        description="detectors of loss spikes and what is done about them; null: only a gradient that is no "
        "number ends the run",
    )
    loader: LoaderConfig = LoaderConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    evaluation: EvaluationConfig | None = EvaluationConfig()
    metrics: MetricsConfig = MetricsConfig()
    supervision: SupervisionConfig = SupervisionConfig()
    threads: int | None = Field(
        default=None, gt=0, description="CPU threads of a rank; null: torch decides"
    )
    step_timeout_seconds: float = Field(
        default=600.0, gt=0, description="a rank that waits longer for another ends the run"
    )

    @model_validator(mode="before")
    @classmethod
    def _first_manifest(cls, values: Any) -> Any:
        """Take the first manifest of `data` wherever one manifest is asked for."""
        if isinstance(values, dict) and values.get("data") and "manifest" not in values:
            first = values["data"][0]
            name = first.get("manifest") if isinstance(first, dict) else first.manifest
            return {**values, "manifest": name}
        return values

    @model_validator(mode="after")
    def _spans_follow(self) -> Self:
        if self.data is None:
            return self
        if self.data[0].manifest != self.manifest:
            raise ValueError(
                f"manifest {self.manifest} and the first of data, {self.data[0].manifest}, differ; "
                "give one of them"
            )
        ends = [span.until_tokens for span in self.data]
        if ends[-1] is not None or None in ends[:-1]:
            raise ValueError("data: all but the last manifest need until_tokens, the last has none")
        known = [end for end in ends if end is not None]
        if known != sorted(set(known)):
            raise ValueError(f"data: until_tokens must grow, got {known}")
        return self

    @property
    def spans(self) -> tuple[DataSpan, ...]:
        """The manifests of the run in their order."""
        return self.data or (DataSpan(manifest=self.manifest),)

    @property
    def start_request(self) -> StartRequest:
        """The settings that decide how the weights begin."""
        return StartRequest(
            seed=self.seed,
            model=self.model,
            names_model="model" in self.model_fields_set,
            trainable=self.trainable,
            warm_start=self.warm_start,
        )

    @property
    def takes_over(self) -> bool:
        """Whether the ranks that are left can do in a step what a lost one did."""
        return self.parallel.reduction == "tree" and self.supervision.take_over

    @property
    def strategy_request(self) -> StrategyRequest:
        """The settings that decide how the ranks share the work."""
        return StrategyRequest(
            seed=self.seed,
            parallel=self.parallel,
            compute=self.precision.compute,
            recompute=self.recompute,
            compile=self.compile,
            microbatch=self.batch.microbatch,
            steps_alone=self.diloco is not None,
        )


def load_train_settings(path: Path, overrides: Sequence[str] = ()) -> TrainSettings:
    """Read a recipe; other names of settings (train/aliases.py) are translated, with warnings.

    Raises:
        SettingsError: With every fault, unknown keys with their nearest valid one.
    """
    data, warnings = translate_recipe(read_yaml(path), overrides)
    for warning in warnings:
        logger.warning("%s: %s", path, warning)
    return parse_settings(TrainSettings, data, where=str(path))


def differing(before: Any, now: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """Dotted keys of two trees of settings whose values differ, with both values."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [] if before == now else [(key, before, now)]
    found = []
    for name in sorted({*before, *now}):
        dotted = f"{key}.{name}" if key else name
        found += differing(before.get(name), now.get(name), dotted)
    return found
