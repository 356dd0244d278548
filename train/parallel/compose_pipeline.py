"""Cut a model into pipeline stages, then split, recompute, compile and shard those of this rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh

from train.distributed.precision import autocast_type
from train.distributed.torch_private import flat_axis
from train.distributed.world import World
from train.model.encoder import Encoder
from train.parallel.config import ParallelConfig, StrategyRequest
from train.parallel.fsdp import shard_blocks
from train.parallel.gradients import GradientSums
from train.parallel.mesh import PIPELINE, REPLICATE, SHARD, TENSOR, data_mesh, rank_share
from train.parallel.pipeline import Leaving, PipelineStrategy
from train.parallel.pipeline_stages import (
    StageCut,
    count_layers,
    cut_layers,
    keep_stages,
    make_stage,
    needed_modules,
)
from train.parallel.recompute import recompute_and_compile
from train.parallel.tensor import TensorSplit, split_matrices


@dataclass(frozen=True, kw_only=True)
class Cuts:
    """The cuts of a pipeline; `owners` has the pipeline rank of each."""

    cuts: list[StageCut]
    owners: list[int]

    def of(self, rank: int) -> list[StageCut]:
        return [cut for cut, owner in zip(self.cuts, self.owners, strict=True) if owner == rank]


def build_pipeline(
    request: StrategyRequest, model: nn.Module, world: World, mesh: DeviceMesh
) -> PipelineStrategy:
    parallel = request.parallel
    cuts = cut_layers(count_layers(model), parallel.num_stages)
    plan = Cuts(cuts=cuts, owners=[index % parallel.pp for index in range(len(cuts))])
    group = mesh[PIPELINE].get_group()
    mine = plan.of(dist.get_rank(group))
    holders = pipeline_holders(model, plan, parallel.pp)
    whole_order = [name for name, _ in model.named_parameters()]
    keep_stages(model, mine)
    split = _split(parallel, model, mesh, mine)
    recompute_and_compile(model, recompute=request.recompute, compiles=request.compile)
    data, sharded = mesh[REPLICATE], frozenset[str]()
    if parallel.dp_shard > 1:
        sharded = shard_blocks(model, data_mesh(mesh))
        data = flat_axis(mesh[REPLICATE, SHARD])
    shared = _shared_groups(holders, whole_order, mesh, world)
    rank = dist.get_rank(group)
    return PipelineStrategy(
        model=model,
        stages=[make_stage(model, cut) for cut in mine],
        world=world,
        seed=request.seed,
        kind=parallel.pipeline_schedule,
        group=group,
        rank_of_stage=plan.owners,
        share=rank_share(mesh),
        sums=GradientSums(
            shared=shared,
            repeated=frozenset(name for name in shared if min(holders[name]) != rank),
            partial_names=split.partial_names if split else frozenset(),
            tensor=split.group if split else None,
            data=data.get_group(),
            sharded=sharded,
            pipeline=group,
        ),
        copies=parallel.tp,
        autocast=autocast_type(request.compute, world.device),
        leaving=Leaving(group=_group_of_stage(mesh, world)),
    )


def _group_of_stage(mesh: DeviceMesh, world: World) -> ProcessGroup | None:
    """The ranks that have the same stages as this one; None where it is alone. All ranks call it."""
    mine = None
    for stage in range(mesh.mesh.shape[2]):
        ranks = mesh.mesh[:, :, stage].flatten().tolist()
        group = world.group(ranks) if len(ranks) > 1 else None
        if mesh.get_rank() in ranks:
            mine = group
    return mine


def _split(
    parallel: ParallelConfig, model: nn.Module, mesh: DeviceMesh, cuts: Sequence[StageCut]
) -> TensorSplit | None:
    """Split the matrices of this rank's stages; tokens are whole between two stages."""
    if parallel.tp == 1:
        return None

    def runs(blocks: nn.Module) -> list[list[nn.Module]]:
        stages = [make_stage(model, cut) for cut in cuts]
        by_stage = [
            [block for block in blocks.children() if block in set(stage.modules())]
            for stage in stages
        ]
        return [run for run in by_stage if run]

    return split_matrices(
        model, mesh[TENSOR], sequence_parallel=parallel.sequence_parallel, runs=runs
    )


def pipeline_holders(model: nn.Module, plan: Cuts, pp: int) -> dict[str, frozenset[int]]:
    """The pipeline ranks that hold each parameter."""
    holders: dict[str, set[int]] = {}
    for rank in range(pp):
        modules = {name for cut in plan.of(rank) for name in needed_modules(model, cut)}
        for module in modules:
            for name, _ in model.get_submodule(module).named_parameters(prefix=module):
                holders.setdefault(name, set()).add(rank)
    if isinstance(model, Encoder):
        holders["head_bias"] = {plan.owners[-1]}
    return {name: frozenset(ranks) for name, ranks in holders.items()}


def _shared_groups(
    holders: dict[str, frozenset[int]], order: Sequence[str], mesh: DeviceMesh, world: World
) -> dict[str, ProcessGroup]:
    """For each parameter that several stages hold, the group of the ranks that hold it.

    Every rank makes the groups of all, in one order.
    """
    kinds = sorted({tuple(sorted(ranks)) for ranks in holders.values() if len(ranks) > 1})
    coordinate = mesh.get_coordinate()
    assert coordinate is not None
    grid = mesh.mesh
    made: dict[tuple[int, ...], ProcessGroup] = {}
    for kind in kinds:
        for outer in torch.cartesian_prod(*(torch.arange(grid.shape[d]) for d in (0, 1, 3))):
            replica, part, tensor = (int(n) for n in outer)
            ranks = [int(grid[replica, part, stage, tensor]) for stage in kind]
            created = world.group(ranks)
            if mesh.get_rank() in ranks:
                made[kind] = created
    mine = coordinate[2]
    return {
        name: made[tuple(sorted(holders[name]))]
        for name in order
        if len(holders.get(name, ())) > 1 and mine in holders[name]
    }
