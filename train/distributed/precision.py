"""Which numbers forward and backward use on this hardware."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from train.distributed.torch_private import has_bf16_kernels

logger = logging.getLogger(__name__)


def autocast_type(compute: str, device: torch.device) -> torch.dtype | None:
    """The type that autocast computes in, `None` for fp32.

    `auto` is bf16 where it is fast: on CUDA devices that have it, and on CPUs with AMX or
    AVX512-BF16; products in bf16 are about 100 times slower than fp32 on other CPUs.
    """
    match compute:
        case "bf16":
            return torch.bfloat16
        case "fp16":
            return torch.float16
        case "auto":
            return torch.bfloat16 if _has_fast_bf16(device) else None
    return None


def computing_in(dtype: torch.dtype | None, device: torch.device) -> AbstractContextManager[Any]:
    """Autocast to a type; None: the type of the weights.

    No cast of a weight is kept for its next use: where blocks share weights, a block that is computed
    again would find a cast that its first pass did not make.
    """
    if dtype is None:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype, cache_enabled=False)


def log_type(compute: str, device: torch.device) -> None:
    """Say why `auto` computes in fp32, where it does; asked once by a run, not where the type is looked up."""
    if compute != "auto" or _has_fast_bf16(device):
        return
    if device.type == "cuda":
        logger.info("%s has no bf16: computing in fp32", torch.cuda.get_device_name())
    else:
        logger.info("this CPU has no bf16 instructions: computing in fp32")


def set_tf32(device: torch.device, *, is_used: bool) -> None:
    """Say how products of fp32 matrices are computed on CUDA: with 10 bits after the point (TF32) or 23."""
    if device.type != "cuda":
        return
    torch.set_float32_matmul_precision("high" if is_used else "highest")
    logger.info("fp32 matrix products: %s", "TF32" if is_used else "full precision")


def _has_fast_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return has_bf16_kernels()
