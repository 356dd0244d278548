"""Settings of the tasks that are evaluated while a model trains."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.settings import Settings
from train.evaluation.items import Reading

ProbeName = Literal["heldout", "copy"]


class TaskChoiceConfig(Settings):
    """One task, and which of its items are scored."""

    task: str = Field(description="a shipped task by name, or a task file (.yaml, .jsonl)")
    shots: int = Field(default=0, ge=0, description="examples before each prompt")
    seed: int = Field(default=1234, ge=0, description="of the examples that are drawn")
    limit: int | None = Field(default=None, gt=0, description="items at most; null: all")
    per_cluster: int | None = Field(
        default=None, gt=0, description="items of each paradigm or passage at most; null: all"
    )


class TasksConfig(Settings):
    """Tasks by when they are due; a result that is there is not made again."""

    data: str | None = Field(default=None, description="folder of benchmarks that tasks read")
    registered: str | None = Field(
        default=None,
        description="items.jsonl of the decontaminated dataset: scores on clean items too",
    )
    read: Reading = Field(
        default="auto", description="how candidates are read; auto: by family and objective"
    )
    at_checkpoints: tuple[TaskChoiceConfig, ...] = Field(
        default=(), description="scored at every checkpoint, the last one too"
    )
    probes: tuple[ProbeName, ...] = Field(
        default=(),
        description="measured at every checkpoint too; heldout: loss and bits per byte by source with intervals over "
        "documents; copy: loss of random strings where they stand again (decoders)",
    )
    at_end: tuple[TaskChoiceConfig, ...] = Field(
        default=(), description="scored at the end of the run only"
    )

    @model_validator(mode="after")
    def _asks_for_some(self) -> Self:
        if not (self.at_checkpoints or self.at_end or self.probes):
            raise ValueError("give tasks in at_checkpoints, at_end or both, or probes")
        for tier in (self.at_checkpoints, self.at_end):
            names = [choice.task for choice in tier]
            doubled = sorted({name for name in names if names.count(name) > 1})
            if doubled:
                raise ValueError(f"{doubled[0]} is there twice")
        return self
