"""A chain of model -> model functions, applied once: cut, tensor, recompute, compile, shard."""

from __future__ import annotations

from torch import nn
from torch.distributed.device_mesh import DeviceMesh

from train.data.cursor import RankShare
from train.distributed.precision import autocast_type
from train.distributed.world import World
from train.parallel.compose_pipeline import build_pipeline
from train.parallel.config import ParallelConfig, StrategyRequest
from train.parallel.fsdp import shard_model
from train.parallel.gradients import GradientSums
from train.parallel.mesh import PIPELINE, REPLICATE, SHARD, TENSOR, data_mesh, rank_share
from train.parallel.recompute import recompute_and_compile
from train.parallel.strategy import DataParallelStrategy, Strategy
from train.parallel.tensor import TensorSplit, split_matrices
from train.parallel.tree import TreeStrategy


def build_strategy(request: StrategyRequest, model: nn.Module, world: World) -> Strategy:
    """Build the parallel strategy of the recipe's `parallel:` block.

    Raises:
        SettingsError: The degrees do not multiply to the world size.
    """
    replicas = request.parallel.replicas(world.size)
    model = model.to(world.device)
    if request.parallel.reduction == "tree":
        recompute_and_compile(model, recompute=request.recompute, compiles=request.compile)
        return TreeStrategy(
            model=model,
            world=world,
            seed=request.seed,
            share=RankShare(rank=world.rank, ranks=world.size, block=request.microbatch),
            autocast=autocast_type(request.compute, world.device),
        )
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
        return build_pipeline(request, model, world, mesh)
    split = _split(parallel, model, mesh)
    recompute_and_compile(model, recompute=request.recompute, compiles=request.compile)
    if parallel.dp_shard > 1:
        shard_model(model, data_mesh(mesh))
    return DataParallelStrategy(
        model=model,
        world=world,
        seed=request.seed,
        share=rank_share(mesh),
        sums=GradientSums(
            partial_names=split.partial_names if split else frozenset(),
            tensor=split.group if split else None,
            data=mesh[REPLICATE].get_group() if parallel.dp_shard == 1 else None,
        ),
        copies=parallel.tp,
        autocast=autocast_type(request.compute, world.device),
    )


def _split(parallel: ParallelConfig, model: nn.Module, mesh: DeviceMesh) -> TensorSplit | None:
    if parallel.tp == 1:
        return None
    return split_matrices(model, mesh[TENSOR], sequence_parallel=parallel.sequence_parallel)
