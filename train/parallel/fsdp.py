"""FSDP2 of a model or of its blocks; it sums gradients instead of averaging them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard

from train.batch.batch import LossSums
from train.distributed.torch_private import make_transparent
from train.parallel.gradients import logical_name
from train.parallel.tensor import block_lists

# FSDP hooks the tensors that it finds in a module's output: it must see into our sums.
make_transparent(LossSums)


def shard_model(model: nn.Module, mesh: DeviceMesh) -> None:
    """Shard a model by FSDP2 over the last axis of a mesh; over two axes this is HSDP."""
    _shard([*_blocks(model), model], mesh, reshard=None)


def shard_blocks(model: nn.Module, mesh: DeviceMesh) -> frozenset[str]:
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
