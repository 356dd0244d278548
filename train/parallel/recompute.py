"""Activations computed again in the backward pass instead of being kept (Chen et al. 2016)."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

from train.distributed.torch_private import kept_attention_kernels, wrap_for_recompute
from train.parallel.config import Recompute
from train.parallel.tensor import block_lists

# What costs most to compute again is kept: matrix products and attention.
_KEPT = frozenset(
    {
        torch.ops.aten.mm.default,
        torch.ops.aten.addmm.default,
        *kept_attention_kernels(),
    }
)


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


def recompute_blocks(blocks: nn.Module, how: Literal["selective", "full"]) -> None:
    """Wrap each block of a list; checkpoints keep the names of the parameters.

    Selective keeps what matrices and attention gave (Korthikanti et al. 2022, section 5, keeps all
    but attention; here the fused kernel never holds the scores).
    """
    options: dict[str, Any] = {}
    if how == "selective":
        options["context_fn"] = partial(create_selective_checkpoint_contexts, _policy)
    for name, block in list(blocks.named_children()):
        setattr(blocks, name, wrap_for_recompute(block, **options))


def _policy(context: Any, operator: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    if operator in _KEPT:
        return CheckpointPolicy.MUST_SAVE
    return CheckpointPolicy.PREFER_RECOMPUTE
