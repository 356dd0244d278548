"""Settings of the data side; imports nothing heavy."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.settings import Settings


class DataSpan(Settings):
    """A manifest, and the token of the run at which the next manifest follows."""

    manifest: str = Field(description="manifest.json, or the folder that holds it")
    until_tokens: int | None = Field(
        default=None,
        gt=0,
        description="packed tokens of the run, counted from its start; null: to its end",
    )
    seed: int | None = Field(
        default=None, description="of the order of this manifest's rows; null: the run's seed"
    )


class LoaderConfig(Settings):
    """How rows are read; nothing here changes which rows a step reads."""

    verify: Literal["file", "content", "none"] = Field(
        default="file",
        description="what is checked when a shard is opened: the SHA-256 of its file, or of its rows",
    )
    prefetch_microbatches: int = Field(
        default=4, gt=0, description="micro-batches that a thread reads ahead"
    )
    cache_row_groups: int | None = Field(
        default=None,
        gt=0,
        description="decoded row groups in memory; null: as many as the manifest's lanes need",
    )
    cache_dir: str | None = Field(default=None, description="folder for copies of remote shards")
    cache_bytes: int = Field(
        default=20_000_000_000, gt=0, description="the largest size of that folder"
    )


class BatchRamp(Settings):
    """Grow the batch linearly over the first tokens (GPT-3, Brown et al. 2020, appendix B)."""

    start_sequences: int = Field(gt=0, description="rows of the first batch")
    over_tokens: int = Field(gt=0, description="packed tokens until the batch has its full size")
    quantum: int = Field(gt=0, description="every batch is a multiple of so many rows")


class BatchChange(Settings):
    """Another size of the batch from a step on."""

    from_step: int = Field(gt=0, description="the first step of that size, counted from 0")
    sequences: int = Field(gt=0, description="rows of its batches on all ranks together")


class BatchConfig(Settings):
    """The global batch, and the micro-batches that fit into memory."""

    sequences: int = Field(
        default=48,
        gt=0,
        description="rows of an optimizer step on all ranks together (global batch)",
    )
    microbatch: int = Field(default=8, gt=0, description="rows of a forward pass on one rank")
    ramp: BatchRamp | None = Field(default=None, description="null: the batch has one size")
    changes: tuple[BatchChange, ...] = Field(
        default=(), description="other sizes from later steps on, in their order; they end a ramp"
    )

    @model_validator(mode="after")
    def _changes_follow(self) -> Self:
        steps = [change.from_step for change in self.changes]
        if steps != sorted(set(steps)):
            raise ValueError(f"changes: from_step must grow, got {steps}")
        return self

    @model_validator(mode="after")
    def _quantum_divides(self) -> Self:
        ramp = self.ramp
        if ramp is None:
            return self
        for value in (ramp.start_sequences, self.sequences):
            if value % ramp.quantum:
                raise ValueError(f"{value} sequences are no multiple of the quantum {ramp.quantum}")
        if ramp.start_sequences > self.sequences:
            raise ValueError(
                f"the ramp starts at {ramp.start_sequences}, above {self.sequences} sequences"
            )
        return self
