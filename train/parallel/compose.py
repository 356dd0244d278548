"""A chain of model -> model functions, applied once: cut, tensor, recompute, compile, shard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard

from train.batch.batch import LossSums
from train.data.cursor import RankShare
from train.distributed.precision import autocast_type
from train.distributed.torch_private import flat_axis, make_transparent
from train.distributed.world import World
from train.model.encoder import Encoder
from train.parallel.config import ParallelConfig, Recompute, StrategyRequest
from train.parallel.gradients import GradientSums, logical_name
from train.parallel.pipeline import PipelineStrategy
from train.parallel.pipeline_stages import (
    StageCut,
    count_layers,
    cut_layers,
    keep_stages,
    make_stage,
    needed_modules,
)
from train.parallel.recompute import recompute_blocks
from train.parallel.strategy import DataParallelStrategy, Strategy
from train.parallel.tensor import TensorSplit, block_lists, split_matrices

REPLICATE, SHARD, PIPELINE, TENSOR = "dp_replicate", "dp_shard", "pp", "tp"

# FSDP hooks the tensors that it finds in a module's output: it must see into our sums.
make_transparent(LossSums)


def build_strategy(request: StrategyRequest, model: nn.Module, world: World) -> Strategy:
    """Build the parallel strategy of the recipe's `parallel:` block.

    Raises:
        SettingsError: The degrees do not multiply to the world size.
    """
    replicas = request.parallel.replicas(world.size)
    model = model.to(world.device)
    if world.size > 1 and not request.steps_alone:
        return _on_mesh(request, model, world, replicas=replicas)
    recompute_and_compile(model, recompute=request.recompute, compiles=request.compile)
    is_alone = request.steps_alone and world.size > 1
    return DataParallelStrategy(
        model=model,
        world=world,
        seed=request.seed,
        share=RankShare(rank=world.rank, ranks=world.size) if is_alone else RankShare(),
        sums=GradientSums(),
        autocast=autocast_type(request.compute, world.device),
        is_alone=is_alone,
    )


def _on_mesh(
    request: StrategyRequest, model: nn.Module, world: World, *, replicas: int
) -> Strategy:
    """The strategy of several ranks that take every step together."""
    parallel = request.parallel
    mesh = world.mesh(
        (replicas, parallel.dp_shard, parallel.pp, parallel.tp),
        (REPLICATE, SHARD, PIPELINE, TENSOR),
    )
    if parallel.pp > 1:
        return _pipeline(request, model, world, mesh)
    split = _split(parallel, model, mesh)
    recompute_and_compile(model, recompute=request.recompute, compiles=request.compile)
    if parallel.dp_shard > 1:
        shard(model, _data_mesh(mesh, replicas))
    return DataParallelStrategy(
        model=model,
        world=world,
        seed=request.seed,
        share=_share(mesh),
        sums=GradientSums(
            partial_names=split.partial_names if split else frozenset(),
            tensor=split.group if split else None,
            data=mesh[REPLICATE].get_group() if parallel.dp_shard == 1 else None,
        ),
        copies=parallel.tp,
        autocast=autocast_type(request.compute, world.device),
    )


def _share(mesh: DeviceMesh) -> RankShare:
    """The rows that this rank reads: ranks of one tensor group and one pipeline read the same."""
    replicas, shards = mesh[REPLICATE], mesh[SHARD]
    rank = replicas.get_local_rank() * shards.size() + shards.get_local_rank()
    return RankShare(rank=rank, ranks=replicas.size() * shards.size())


def _split(parallel: ParallelConfig, model: nn.Module, mesh: DeviceMesh) -> TensorSplit | None:
    if parallel.tp == 1:
        return None
    return split_matrices(model, mesh[TENSOR], sequence_parallel=parallel.sequence_parallel)


def recompute_and_compile(model: nn.Module, *, recompute: Recompute, compiles: bool) -> None:
    """Wrap the blocks of a model for recomputation, and compile them, where it is asked for."""
    lists = block_lists(model).values()
    if recompute != "none":
        for blocks in lists:
            recompute_blocks(blocks, recompute)
    if compiles:
        for blocks in lists:
            for block in blocks.children():
                block.compile()


def _data_mesh(mesh: DeviceMesh, replicas: int) -> DeviceMesh:
    return mesh[REPLICATE, SHARD] if replicas > 1 else mesh[SHARD]


def shard(model: nn.Module, mesh: DeviceMesh) -> None:
    """Shard a model by FSDP2 over the last axis of a mesh; over two axes this is HSDP."""
    _shard([*_blocks(model), model], mesh, reshard=None)


def _shard_blocks(model: nn.Module, mesh: DeviceMesh) -> frozenset[str]:
    """Shard each block of a model by FSDP2; returns the names of the sharded parameters.

    Pipeline stages call blocks, not the model, and may share its tables: these stay whole.
    """
    blocks = _blocks(model)
    _shard(blocks, mesh, reshard=True)
    sharded = {id(parameter) for block in blocks for parameter in block.parameters()}
    return frozenset(logical_name(name) for name, p in model.named_parameters() if id(p) in sharded)


def _blocks(model: nn.Module) -> list[nn.Module]:
    return [block for blocks in block_lists(model).values() for block in blocks.children()]


def _shard(modules: Sequence[nn.Module], mesh: DeviceMesh, *, reshard: bool | None) -> None:
    """Shard modules by FSDP2, so that it sums gradients instead of averaging them.

    Losses are sums, divided once by the global count.

    Args:
        modules: The modules, each after those that lie in it.
        mesh: The data ranks.
        reshard: Whether gathered weights are freed after the forward pass; None: those of all
            modules but the outermost one.
    """

    def placement(parameter: nn.Parameter) -> Shard | None:
        # Rows that tensor ranks have split, unevenly perhaps, are sharded by columns: two uneven
        # splits of one dimension have no placement.
        is_split = isinstance(parameter, DTensor) and Shard(0) in parameter.placements
        columns = parameter.shape[1] if parameter.ndim > 1 else 0
        return Shard(1) if is_split and columns and columns % shards == 0 else None

    shards = mesh.size(mesh.ndim - 1)
    for module in modules:
        sharded = fully_shard(
            module, mesh=mesh, shard_placement_fn=placement, reshard_after_forward=reshard
        )
        sharded.set_gradient_divide_factor(1.0)
        sharded.set_force_sum_reduction_for_comms(True)


@dataclass(frozen=True, kw_only=True)
class _Cuts:
    """The cuts of a pipeline; `owners` has the pipeline rank of each."""

    cuts: list[StageCut]
    owners: list[int]

    def of(self, rank: int) -> list[StageCut]:
        return [cut for cut, owner in zip(self.cuts, self.owners, strict=True) if owner == rank]


def _pipeline(
    request: StrategyRequest, model: nn.Module, world: World, mesh: DeviceMesh
) -> PipelineStrategy:
    parallel = request.parallel
    cuts = cut_layers(count_layers(model), parallel.num_stages)
    plan = _Cuts(cuts=cuts, owners=[index % parallel.pp for index in range(len(cuts))])
    group = mesh[PIPELINE].get_group()
    mine = plan.of(dist.get_rank(group))
    holders = _holders(model, plan, parallel.pp)
    whole_order = [name for name, _ in model.named_parameters()]
    keep_stages(model, mine)
    split = None
    if parallel.tp > 1:

        def runs(blocks: nn.Module) -> list[list[nn.Module]]:
            stages = [make_stage(model, cut) for cut in mine]
            by_stage = [
                [block for block in blocks.children() if block in set(stage.modules())]
                for stage in stages
            ]
            return [run for run in by_stage if run]

        split = split_matrices(
            model, mesh[TENSOR], sequence_parallel=parallel.sequence_parallel, runs=runs
        )
    recompute_and_compile(model, recompute=request.recompute, compiles=request.compile)
    data, sharded = mesh[REPLICATE], frozenset[str]()
    if parallel.dp_shard > 1:
        sharded = _shard_blocks(model, _data_mesh(mesh, mesh[REPLICATE].size()))
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
        share=_share(mesh),
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
    )


def _holders(model: nn.Module, plan: _Cuts, pp: int) -> dict[str, frozenset[int]]:
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
