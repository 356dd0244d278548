"""Every name of torch that torch may change without notice, and what each is for.

No other module of `train` touches one; two tests hold that: one looks for private names elsewhere,
the other asks whether each name of `PRIVATE_NAMES` is still there. At the next torch: run them, run
`python -m train selftest --world 4`, then raise CHECKED_VERSION.

Shapes: R queries, K keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.device_mesh import DeviceMesh
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = [
    "AdamWOfParts",
    "TorchDispatchMode",
    "flat_axis",
    "has_bf16_kernels",
    "kept_attention_kernels",
    "make_transparent",
    "norms",
    "run_microbatches",
    "scale_in_place",
    "softmax_backward",
    "tree_leaves",
    "unwrapped_name",
    "wrap_for_recompute",
]

# The version that all of this was read in and tested with.
CHECKED_VERSION = "2.13"

PRIVATE_NAMES = {
    "torch._foreach_norm": "the norms of many tensors by one kernel",
    "torch._foreach_mul_": "the scaling of many tensors by one kernel",
    "torch.ops.aten._softmax_backward_data": "the gradient of a softmax from its own result",
    "torch.ops.aten._scaled_dot_product_flash_attention_for_cpu": "what recomputation keeps",
    "torch.ops.aten._scaled_dot_product_flash_attention": "what recomputation keeps",
    "torch.ops.aten._scaled_dot_product_efficient_attention": "what recomputation keeps",
    "torch.ops.aten._scaled_dot_product_cudnn_attention": "what recomputation keeps",
    "torch.ops.mkldnn._is_mkldnn_bf16_supported": "whether this CPU computes in bf16",
    "torch.optim.AdamW._init_group": "lists the tensors of a step for AdamW's kernels",
    "torch.utils._pytree.SUPPORTED_NODES": "whether a type is registered already",
    "torch.utils._pytree.register_dataclass": "lets FSDP's hooks see into our sums",
    "torch.utils._pytree.tree_leaves": "the tensors that an operation gave",
    "torch.utils._python_dispatch.TorchDispatchMode": "sees every operation of a forward pass",
    "torch.distributed.algorithms._checkpoint.checkpoint_wrapper.checkpoint_wrapper": (
        "wraps a block for recomputation and keeps its names in checkpoints"
    ),
    "torch.distributed.device_mesh.DeviceMesh._flatten": "one group of the ranks of two axes",
    "torch.distributed.pipelining.schedules.PipelineScheduleSingle._step_microbatches": (
        "runs a pipeline on micro-batches that are cut already"
    ),
    "torch.distributed.pipelining.schedules.PipelineScheduleMulti._step_microbatches": (
        "runs a pipeline on micro-batches that are cut already"
    ),
    "torch.distributed.pipelining.PipelineStage.clear_runtime_states": (
        "what a schedule's `step` calls first"
    ),
}

# What `checkpoint_wrapper` puts into the names of a block's parameters.
_WRAPPER = "_checkpoint_wrapped_module."

Value = TypeVar("Value")


def norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The 2-norm of each tensor; all are plain, or all are DTensors of one mesh."""
    return list(torch._foreach_norm(list(tensors), 2.0))


def scale_in_place(tensors: Sequence[Tensor], factor: float) -> None:
    """Multiply each tensor; all are plain, or all are DTensors of one mesh."""
    torch._foreach_mul_(list(tensors), factor)


def softmax_backward(grad_RK: Tensor, weights_RK: Tensor) -> Tensor:
    """The gradient of what a softmax over the last dimension read, from its result `weights_RK`."""
    made: Tensor = torch.ops.aten._softmax_backward_data(grad_RK, weights_RK, -1, weights_RK.dtype)
    return made


def has_bf16_kernels() -> bool:
    """Whether this CPU has instructions for bf16; without them oneDNN computes in fp32 anyway."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def kept_attention_kernels() -> frozenset[Any]:
    """The fused attentions of all devices."""
    aten = torch.ops.aten
    return frozenset(
        {
            aten._scaled_dot_product_flash_attention_for_cpu.default,
            aten._scaled_dot_product_flash_attention.default,
            aten._scaled_dot_product_efficient_attention.default,
            aten._scaled_dot_product_cudnn_attention.default,
        }
    )


def make_transparent(kind: type) -> None:
    """Let hooks of FSDP find the tensors in the fields of a dataclass that a module returns."""
    if kind not in _pytree.SUPPORTED_NODES:
        _pytree.register_dataclass(kind)


def wrap_for_recompute(block: nn.Module, **options: Any) -> nn.Module:
    """A block whose activations are computed again, with the generators as they were.

    Args:
        block: Its parameters keep their names in checkpoints, see `unwrapped_name` for elsewhere.
        options: Those of `torch.utils.checkpoint.checkpoint`.
    """
    return checkpoint_wrapper(block, preserve_rng_state=True, **options)


def unwrapped_name(name: str) -> str:
    """The name of a parameter without what `wrap_for_recompute` adds to it."""
    return name.replace(_WRAPPER, "")


def flat_axis(mesh: DeviceMesh) -> DeviceMesh:
    """The ranks of all axes of a mesh as one axis."""
    return mesh._flatten()


def run_microbatches(
    schedule: Any, arguments: list[tuple[Tensor, ...]], named: list[dict[str, Any]]
) -> None:
    """Forward and backward of a pipeline's micro-batches, one after the other as it schedules them.

    The schedule's own `step` would cut whole tensors into micro-batches; ours are objects, cut
    already.

    Args:
        schedule: One of `torch.distributed.pipelining.schedules`.
        arguments: What the first stage gets, for each micro-batch.
        named: What every stage gets by name, for each micro-batch.
    """
    # A schedule of several stages per rank has a list of them, the others have one.
    stages = schedule._stages if hasattr(schedule, "_stages") else [schedule._stage]
    for stage in stages:
        stage.has_backward = True
        stage.clear_runtime_states()
    targets = [torch.zeros(1, device=arguments[0][0].device)] * len(arguments)
    schedule._step_microbatches(arguments, named, targets, None, return_outputs=False)


class AdamWOfParts(torch.optim.AdamW):
    """AdamW whose kernels see a part of each weight, gradient and state.

    Args:
        part_of: The part, as a view.
        args: As those of AdamW, like the named ones.
    """

    def __init__(self, *args: Any, part_of: Callable[[Tensor], Tensor], **named: Any) -> None:
        super().__init__(*args, **named)
        self._part_of = part_of

    def _init_group(self, group: dict[str, Any], *lists: list[Tensor], **named: Any) -> bool:
        has_complex: bool = super()._init_group(group, *lists, **named)  # type: ignore[no-untyped-call]
        for tensors in (*lists, *named.values()):
            tensors[:] = [self._part_of(tensor) for tensor in tensors]
        return has_complex
