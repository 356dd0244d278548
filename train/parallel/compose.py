"""A chain of model -> model functions, applied once: tensor, recompute, compile, shard."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)
from torch.utils import _pytree

from schemas.errors import SettingsError
from train.batch import LossSums
from train.data.cursor import RankShare
from train.loop.precision import autocast_type
from train.parallel.layout import DataLayout, Layout
from train.parallel.world import World
from train.settings import TrainSettings

REPLICATE, SHARD, TENSOR = "dp_replicate", "dp_shard", "tp"

# FSDP hooks the tensors that it finds in a module's output: it must see into our sums.
if LossSums not in _pytree.SUPPORTED_NODES:
    _pytree.register_dataclass(LossSums)


def build_layout(settings: TrainSettings, model: nn.Module, world: World) -> Layout:
    """The layout of the recipe's `parallel:` block.

    Raises:
        SettingsError: The degrees do not fit the world, the heads, or the batch.
    """
    parallel = settings.parallel
    replicas = parallel.replicas(world.size)
    if parallel.pp > 1:
        raise SettingsError(f"parallel.pp: {parallel.pp}, but pipelines are not built yet; use 1")
    model = model.to(world.device)
    mesh = None
    if world.size > 1:
        mesh = init_device_mesh(
            world.device.type,
            (replicas, parallel.dp_shard, parallel.tp),
            mesh_dim_names=(REPLICATE, SHARD, TENSOR),
        )
    if parallel.tp > 1 and mesh is not None:
        split_matrices(model, mesh[TENSOR])
    if settings.recompute != "none":
        recompute_blocks(model)
    if settings.compile:
        for block in blocks_of(model):
            block.compile()
    if parallel.dp_shard > 1 and mesh is not None:
        _check_even_batches(settings, parallel.data_ranks(world.size))
        shard(model, mesh, replicas)
    inner = parallel.tp
    is_sharded = parallel.dp_shard > 1
    ranks = RankShare(rank=world.rank // inner, ranks=world.size // inner)
    return DataLayout(
        model=model,
        world=world,
        seed=settings.seed,
        autocast=autocast_type(settings.precision.compute, world.device),
        group=mesh[REPLICATE].get_group() if mesh is not None and not is_sharded else None,
        ranks=ranks,
        sums_gradients=not is_sharded,
    )


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """The layers that are sharded, recomputed and compiled one by one."""
    blocks = getattr(model, "blocks", None)
    if not isinstance(blocks, nn.ModuleList):
        raise SettingsError(f"{type(model).__name__}: has no list `blocks` of layers to lay out")
    return list(blocks)


def split_matrices(model: nn.Module, mesh: DeviceMesh) -> None:
    """Tensor parallel as in Megatron (Shoeybi et al. 2019): one all-reduce per half block and way.

    Heads and hidden units are split; embeddings, norms and the head are whole on every rank and get
    equal gradients there.

    Raises:
        SettingsError: Heads or hidden units do not divide.
    """
    ranks = mesh.size()
    for block in blocks_of(model):
        attention, mlp = block.get_submodule("attention"), block.get_submodule("mlp")
        config: Any = attention.config
        sizes = {
            "heads": config.heads,
            "kv_heads": config.num_kv_heads,
            "mlp_width": config.hidden_width,
        }
        for name, size in sizes.items():
            if size % ranks:
                raise SettingsError(f"parallel.tp: {ranks} ranks do not divide {name} {size}")
        columns = {name: ColwiseParallel() for name in ("query", "key", "value")}
        parallelize_module(attention, mesh, {**columns, "output": RowwiseParallel()})
        ups = {
            name: ColwiseParallel() for name, _ in mlp.named_children() if name in ("up", "gate")
        }
        parallelize_module(mlp, mesh, {**ups, "down": RowwiseParallel()})


def recompute_blocks(model: nn.Module) -> None:
    """Compute each block's activations again in the backward pass; names stay logical."""
    blocks = model.get_submodule("blocks")
    for name, block in list(blocks.named_children()):
        setattr(blocks, name, checkpoint_wrapper(block, preserve_rng_state=True))


def shard(model: nn.Module, mesh: DeviceMesh, replicas: int) -> None:
    """FSDP2 over `dp_shard`, replicated over `dp_replicate` (HSDP) where there are several.

    Gradients are summed, not averaged: losses are sums, divided once by the global label count.
    """
    data = mesh[REPLICATE, SHARD] if replicas > 1 else mesh[SHARD]
    for module in [*blocks_of(model), model]:
        sharded = fully_shard(module, mesh=data)
        sharded.set_gradient_divide_factor(1.0)
        sharded.set_force_sum_reduction_for_comms(True)


def _check_even_batches(settings: TrainSettings, data_ranks: int) -> None:
    """Sharded ranks talk in every forward pass: all must do equally many."""
    ramp = settings.batch.ramp
    unit = settings.batch.sequences if ramp is None else ramp.quantum
    if unit % data_ranks:
        raise SettingsError(
            f"batch: {unit} sequences do not split over {data_ranks} data ranks with dp_shard > 1"
        )
