"""Settings of checkpoints; imports nothing heavy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.settings import Settings


class CheckpointConfig(Settings):
    """When a checkpoint is written and which ones stay."""

    every_steps: int = Field(default=500, gt=0)
    keep_last: int = Field(default=2, gt=0, description="the newest so many stay")
    keep_every_steps: int | None = Field(
        default=None, gt=0, description="those at multiples stay for ever"
    )
    asynchronous: bool = Field(
        default=True, description="write while training goes on; the copy in memory is exact"
    )
    accept_changes: tuple[Literal["optimizer", "schedule", "objective"], ...] = Field(
        default=(), description="blocks that a resumed run may change; noted in events.jsonl"
    )
    export: bool = Field(default=True, description="Hugging Face folder of the last checkpoint")
