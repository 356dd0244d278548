"""Settings of the data side; imports nothing heavy."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.settings import Settings


class DataSpan(Settings):
    """A manifest, and the token of the run at which the next one takes over."""

    manifest: str = Field(description="manifest.json, or the folder that holds it")
    until_tokens: int | None = Field(
        default=None, gt=0, description="packed tokens of the whole run; null: to its end"
    )


class LoaderConfig(Settings):
    """How rows reach the loop; nothing here changes which rows."""

    verify: Literal["file", "content", "none"] = Field(
        default="file", description="check on first open: the file's SHA-256, or that of its rows"
    )
    prefetch_microbatches: int = Field(default=4, gt=0, description="micro-batches ready ahead")
    cache_row_groups: int | None = Field(
        default=None, gt=0, description="decoded row groups held; null: what the lanes need"
    )
    cache_dir: str | None = Field(default=None, description="where remote shards are kept")
    cache_bytes: int = Field(default=20_000_000_000, gt=0, description="bound of `cache_dir`")


class BatchRamp(Settings):
    """Grow the batch linearly over the first tokens (GPT-3, Brown et al. 2020, appendix B)."""

    start_sequences: int = Field(gt=0)
    over_tokens: int = Field(gt=0)
    quantum: int = Field(gt=0, description="batches are multiples of it, never of the world size")


class BatchConfig(Settings):
    """The global batch, and how it is cut for memory."""

    sequences: int = Field(default=48, gt=0, description="rows per optimizer step, all ranks")
    microbatch: int = Field(default=8, gt=0, description="rows per forward pass and rank")
    ramp: BatchRamp | None = None

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
