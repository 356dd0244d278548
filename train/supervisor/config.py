"""Settings of supervision; imports nothing heavy."""

from __future__ import annotations

from pydantic import Field

from schemas.settings import Settings


class RetryBudget(Settings):
    """Failures of one root in a row, without a checkpoint published between them, that are tried again."""

    general: int = Field(
        default=3, ge=0, description="any root; also the ceiling for the two below"
    )
    bounded: int = Field(
        default=1, ge=0, description="a cause that may be gone: a full disk, a port in use"
    )
    confirmation: int = Field(
        default=1, ge=0, description="an exact file or step that a rerun meets again"
    )
    stalled: int = Field(
        default=6, ge=0, description="failures in a row without progress, whatever their roots"
    )


class SupervisionConfig(Settings):
    """What `train supervise` waits for, and how often it starts again; other verbs ignore it."""

    start_floor_seconds: float = Field(
        default=120.0,
        gt=0,
        description="least time-out of a start, and of a section not yet learnt",
    )
    floor_seconds: float = Field(
        default=20.0, gt=0, description="least time-out of a section after five steps"
    )
    stopped_seconds: float = Field(
        default=0.8, ge=0, description="a rank that is stopped (SIGSTOP) for longer has failed"
    )
    stop_grace_seconds: float = Field(
        default=600.0, gt=0, description="ranks that were asked to stop have so long to save"
    )
    max_backoff_seconds: float = Field(
        default=60.0, ge=0, description="longest pause before a restart: 0, 2, 4, 8 ... seconds"
    )
    take_over: bool = Field(
        default=True,
        description="with parallel.reduction tree on CPUs the ranks that are left do the rows of a lost one in the same step",
    )
    restarts: RetryBudget = RetryBudget()
