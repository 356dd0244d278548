"""How ranks are laid out; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.errors import SettingsError
from schemas.settings import Settings

ScheduleKind = Literal["gpipe", "1f1b", "interleaved", "zero_bubble"]
Recompute = Literal["none", "selective", "full"]
Compute = Literal["fp32", "bf16", "fp16", "auto"]
_LOOPED = ("interleaved", "zero_bubble")


class ParallelConfig(Settings):
    """Degrees along each axis of the mesh; their product is the world size.

    Tensor ranks are neighbours, pipeline stages come next, data ranks lie outside, so that the
    tensor groups of a node stay inside of it. `dp_replicate: null` takes the ranks that the others
    leave.
    """

    dp_replicate: int | None = Field(
        default=None,
        gt=0,
        description="whole copies of the model; null: as many as the other degrees leave ranks for",
    )
    dp_shard: int = Field(default=1, gt=0, description="FSDP2: ranks that share one copy")
    tp: int = Field(default=1, gt=0, description="ranks that share every matrix")
    pp: int = Field(default=1, gt=0, description="pipeline ranks")
    pipeline_schedule: ScheduleKind = Field(
        default="1f1b", description="order of the pipeline's work"
    )
    stages_per_rank: int = Field(
        default=2, gt=1, description="stages of each pipeline rank, interleaved and zero_bubble"
    )
    sequence_parallel: bool = Field(
        default=False, description="with tp: split tokens where matrices are whole"
    )
    reduction: Literal["flat", "tree"] = Field(
        default="flat",
        description="how data ranks add their gradients; tree: the same bits for any number of them, in an "
        "order that micro-batches have",
    )
    sentinel_every_steps: int | None = Field(
        default=None,
        gt=0,
        description="every so many steps another rank computes a random micro-batch too, and all compare their weights: "
        "who has other bits is named and leaves; needs reduction tree; null: never",
    )

    @model_validator(mode="after")
    def _sentinel_needs_tree(self) -> Self:
        if self.sentinel_every_steps is not None and self.reduction != "tree":
            raise ValueError(
                "sentinel_every_steps compares bits of one micro-batch, which reduction: tree alone keeps "
                f"apart; reduction is {self.reduction}"
            )
        return self

    @model_validator(mode="after")
    def _sequence_needs_tensor(self) -> Self:
        if self.sequence_parallel and self.tp == 1:
            raise ValueError("sequence_parallel splits tokens over the ranks of tp, which is 1")
        return self

    @property
    def num_stages(self) -> int:
        """Number of pipeline stages that the layers are cut into."""
        return self.pp * (self.stages_per_rank if self.pipeline_schedule in _LOOPED else 1)

    def replicas(self, world_size: int) -> int:
        """The number of whole copies of the model that fill the world.

        Raises:
            SettingsError: The degrees do not multiply to the world size.
        """
        inner = self.dp_shard * self.tp * self.pp
        replicas = self.dp_replicate or max(world_size // inner, 1)
        if replicas * inner != world_size:
            raise SettingsError(
                f"parallel: dp_replicate {replicas} x dp_shard {self.dp_shard} x tp {self.tp} x "
                f"pp {self.pp} = {replicas * inner} ranks, but the world has {world_size}"
            )
        return replicas

    def data_ranks(self, world_size: int) -> int:
        """Number of ranks that read different rows."""
        return self.replicas(world_size) * self.dp_shard


@dataclass(frozen=True, kw_only=True)
class StrategyRequest:
    """The settings of a recipe that decide how its ranks share the work.

    Attributes:
        seed: Seed of dropout.
        compute: Numbers of forward and backward; see `precision.compute`.
        recompute: What is computed again in the backward pass instead of being kept.
        compile: Whether blocks are compiled.
        microbatch: Rows of a forward pass: with `reduction: tree` a part of what decides the bits.
        steps_alone: Whether ranks step by their own gradients and meet only now and then (DiLoCo).
    """

    seed: int
    parallel: ParallelConfig
    compute: Compute = "fp32"
    recompute: Recompute = "none"
    compile: bool = False
    microbatch: int = 1
    steps_alone: bool = False


class AsynchronousConfig(Settings):
    """Parameter servers and workers; each is a process.

    Without torchrun, `train pretrain` starts them on this machine, and a worker that dies does not
    end the run. Under torchrun the first ranks are the servers.
    """

    workers: int = Field(gt=0, description="processes that compute gradients")
    servers: int = Field(
        default=1, gt=0, description="processes that hold a stretch of the weights"
    )
    staleness: int = Field(
        default=4,
        ge=0,
        description="updates that may lie between reading weights and pushing their gradient; "
        "0: synchronous SGD",
    )

    @property
    def processes(self) -> int:
        """Number of servers and workers together."""
        return self.servers + self.workers

    def check_world(self, world_size: int) -> None:
        """Refuse a world that has no rank for each process, or ranks for none.

        Raises:
            SettingsError: It names both numbers.
        """
        if world_size != self.processes:
            raise SettingsError(
                f"asynchronous: servers {self.servers} + workers {self.workers} = "
                f"{self.processes} ranks, but the world has {world_size}"
            )


class DilocoConfig(Settings):
    """DiLoCo (Douillard et al. 2023); `lr: 1, momentum: 0` is local SGD (Stich 2019)."""

    inner_steps: int = Field(default=500, gt=0, description="steps of a rank between two exchanges")
    lr: float = Field(default=0.7, gt=0, description="rate of the outer step")
    momentum: float = Field(
        default=0.9, ge=0, lt=1, description="Nesterov momentum of the outer step"
    )
