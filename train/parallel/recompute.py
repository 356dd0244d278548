"""Activations computed again in the backward pass instead of being kept (Chen et al. 2016)."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

# Dear to compute again: products of matrices and attention; the rest of a block is cheap.
_KEPT = frozenset(
    {
        torch.ops.aten.mm.default,
        torch.ops.aten.addmm.default,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,
        torch.ops.aten._scaled_dot_product_flash_attention.default,
        torch.ops.aten._scaled_dot_product_efficient_attention.default,
        torch.ops.aten._scaled_dot_product_cudnn_attention.default,
    }
)


def recompute_blocks(blocks: nn.Module, how: Literal["selective", "full"]) -> None:
    """Wrap each block of a list; names stay logical in checkpoints.

    Selective keeps what matrices and attention gave (Korthikanti et al. 2022, section 5, keeps all
    but attention; here the fused kernel never holds the scores).
    """
    more: dict[str, Any] = {}
    if how == "selective":
        more["context_fn"] = partial(create_selective_checkpoint_contexts, _policy)
    for name, block in list(blocks.named_children()):
        setattr(blocks, name, checkpoint_wrapper(block, preserve_rng_state=True, **more))


def _policy(context: Any, operator: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    if operator in _KEPT:
        return CheckpointPolicy.MUST_SAVE
    return CheckpointPolicy.PREFER_RECOMPUTE
