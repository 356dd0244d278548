"""Tensor parallel: heads, hidden units and the vocabulary are split (Shoeybi et al. 2019).

With sequence parallel (Korthikanti et al. 2022) the tokens are split wherever matrices are whole:
between the blocks, in their norms and dropouts. The collectives are then a gather and a scatter
instead of one sum, which moves as many bytes and keeps 1/tp of the activations.

Split parameters are DTensors under their logical names; all others stay whole on every rank. A
vocabulary that does not divide leaves the last rank fewer rows.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from schemas.errors import SettingsError
from train.distributed.collectives import (
    TOKENS,
    copy_in,
    gather_tokens,
    join_tokens,
    scatter_tokens,
    split_tokens,
    sum_out,
)
from train.distributed.sharded_tensors import local_part
from train.distributed.split_vocabulary import split_embedding

ROWS, COLUMNS = 0, 1
_ATTENTIONS = ("attention", "cross_attention")


@dataclass
class TokenRegion:
    """Consecutive blocks between which the tokens are split.

    Attributes:
        tokens: Length of the whole rows; the first block of a forward pass notes it.
    """

    group: ProcessGroup
    tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class TensorSplit:
    """A model whose matrices are split over the ranks of `group`.

    Attributes:
        partial_names: Parameters that each rank holds whole, though it computes a part of their
            gradient only: these gradients are to be summed over the tensor ranks.
    """

    group: ProcessGroup
    partial_names: frozenset[str]


def block_lists(model: nn.Module) -> dict[str, nn.Module]:
    """The lists of layers of a model by their name: one, or those of encoder and decoder."""
    lists = {name: module for name, module in model.named_modules() if name.endswith("blocks")}
    if not lists:
        raise SettingsError(f"{type(model).__name__}: has no list `blocks` of layers to lay out")
    return lists


Runs = Callable[[nn.Module], list[list[nn.Module]]]


def one_run(blocks: nn.Module) -> list[list[nn.Module]]:
    """All blocks of a list, as where no pipeline cuts it."""
    return [list(blocks.children())]


def split_matrices(
    model: nn.Module, mesh: DeviceMesh, *, sequence_parallel: bool = False, runs: Runs = one_run
) -> TensorSplit:
    """Split a model over the ranks of a mesh with one axis.

    Args:
        model: The whole model, or the modules that pipeline stages left of it.
        mesh: The ranks that share every matrix.
        sequence_parallel: Split the tokens between the blocks of each run.
        runs: The stretches of a list's blocks that follow each other on this rank.

    Raises:
        SettingsError: Heads or hidden units do not divide.
    """
    group = mesh.get_group()
    partial_names = {name for name, _ in model.named_parameters() if name == "head_bias"}
    for prefix, blocks in block_lists(model).items():
        region = TokenRegion(group) if sequence_parallel else None
        for block in blocks.children():
            _split_block(block, mesh, region)
        if region is not None:
            for run in runs(blocks):
                _split_between(run, region)
            partial_names |= _whole_parameters(blocks, prefix)
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and name.endswith("relative"):
            _shard(module, "weight", mesh, COLUMNS)
            module.__class__ = _LocalEmbedding
    _split_vocabulary(model, mesh)
    return TensorSplit(group=group, partial_names=frozenset(partial_names))


def _whole_parameters(blocks: nn.Module, prefix: str) -> set[str]:
    return {
        f"{prefix}.{name}"
        for name, parameter in blocks.named_parameters()
        if not isinstance(parameter, DTensor)
    }


def _split_between(blocks: Iterable[nn.Module], region: TokenRegion) -> None:
    """Split the tokens before the first block and join them after the last one."""
    members = list(blocks)
    if not members:
        return

    def enter(block: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        region.tokens = args[0].shape[TOKENS]
        return (split_tokens(args[0], region.group), *args[1:])

    def leave(block: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        return join_tokens(output, region.group, region.tokens)

    members[0].register_forward_pre_hook(enter)
    members[-1].register_forward_hook(leave)


def _split_block(block: nn.Module, mesh: DeviceMesh, region: TokenRegion | None) -> None:
    group = mesh.get_group()
    leave = partial(scatter_tokens, group=group) if region else partial(sum_out, group=group)
    for name in _ATTENTIONS:
        attention = getattr(block, name, None)
        if attention is None:
            continue
        for projection in ("query", "key", "value"):
            _split_columns(attention.get_submodule(projection), mesh)
        _split_rows(attention.get_submodule("output"), mesh, leave)
        _enter_with(attention, region, group)
    mlp = block.get_submodule("mlp")
    for name, child in mlp.named_children():
        if name in ("up", "gate"):
            _split_columns(child, mesh)
    _split_rows(mlp.get_submodule("down"), mesh, leave)
    _enter_with(mlp, region, group)


def _enter_with(module: nn.Module, region: TokenRegion | None, group: ProcessGroup) -> None:
    """Let a module read its input by one collective for all of its matrices.

    The encoder's result that cross attention reads is whole already.
    """
    signature = inspect.signature(module.forward)

    def enter(
        _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        bound = signature.bind(*args, **kwargs)
        x = bound.arguments["x_BTD"]
        bound.arguments["x_BTD"] = (
            copy_in(x, group) if region is None else gather_tokens(x, group, region.tokens)
        )
        memory = bound.arguments.get("memory")
        if memory is not None:
            bound.arguments["memory"] = copy_in(memory, group)
        return bound.args, bound.kwargs

    module.register_forward_pre_hook(enter, with_kwargs=True)


class _ColumnLinear(nn.Linear):
    """A linear layer of which each rank computes some of the outputs."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(
            x, local_part(self.weight), None if self.bias is None else local_part(self.bias)
        )


class RowLinear(nn.Linear):
    """A linear layer of which each rank reads some of the inputs; the bias is added after the sum."""

    leave: Callable[[Tensor], Tensor]

    def forward(self, x: Tensor) -> Tensor:
        """Multiply, sum over the ranks, add the bias."""
        out = self.leave(F.linear(x, local_part(self.weight)))
        return out if self.bias is None else out + self.bias.to(out.dtype)


class _LocalEmbedding(nn.Embedding):
    """A table of which each rank has the columns of its heads."""

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, local_part(self.weight))


class _SplitEmbedding(nn.Embedding):
    """A table of which each rank has some rows."""

    def forward(self, ids: Tensor) -> Tensor:
        return split_embedding(ids, self.weight)  # type: ignore[arg-type]


def _split_columns(linear: nn.Module, mesh: DeviceMesh) -> None:
    _shard(linear, "weight", mesh, ROWS)
    if linear.bias is not None:
        _shard(linear, "bias", mesh, ROWS)
    linear.__class__ = _ColumnLinear


def _split_rows(linear: nn.Module, mesh: DeviceMesh, leave: Callable[[Tensor], Tensor]) -> None:
    _shard(linear, "weight", mesh, COLUMNS)
    linear.__class__ = RowLinear
    linear.leave = leave  # type: ignore[assignment]


def _split_vocabulary(model: nn.Module, mesh: DeviceMesh) -> None:
    embedding = getattr(model, "embedding", None)
    if isinstance(embedding, nn.Embedding):
        _shard(embedding, "weight", mesh, ROWS)
        embedding.__class__ = _SplitEmbedding
    head = getattr(model, "head", None)
    if isinstance(head, nn.Linear):
        _shard(head, "weight", mesh, ROWS)


def _shard(module: nn.Module, name: str, mesh: DeviceMesh, dim: int) -> None:
    """Keep this rank's part of a parameter; all ranks hold equal ones, so nothing is sent."""
    whole = module.get_parameter(name)
    split = distribute_tensor(whole.detach(), mesh, [Shard(dim)], src_data_rank=None)
    setattr(module, name, nn.Parameter(split, requires_grad=whole.requires_grad))
