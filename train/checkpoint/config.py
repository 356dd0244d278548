"""Settings of checkpoints; imports nothing heavy."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from schemas.settings import Settings

Changeable = Literal["optimizer", "schedule", "objective"]
CHANGEABLE: tuple[Changeable, ...] = get_args(Changeable)


class CheckpointConfig(Settings):
    """When a checkpoint is written and which ones stay."""

    every_steps: int = Field(default=500, gt=0, description="steps between two checkpoints")
    keep_last: int = Field(default=2, gt=0, description="number of newest checkpoints that stay")
    keep_every_steps: int | None = Field(
        default=None,
        gt=0,
        description="checkpoints at multiples of it stay for ever; null: none do",
    )
    asynchronous: bool = Field(
        default=True, description="a thread writes a copy of the state while training goes on"
    )
    max_failed_saves: int = Field(
        default=3,
        gt=0,
        description="a run ends when so many checkpoints in a row could not be written (a full disk)",
    )
    retry_seconds: float = Field(
        default=30.0,
        ge=0,
        description="pause before the last checkpoint of a run is tried again",
    )
    accept_changes: tuple[Changeable, ...] = Field(
        default=(), description="blocks that a resumed run may change; noted in events.jsonl"
    )
    export: bool = Field(
        default=True, description="write the last weights as a Hugging Face folder"
    )
