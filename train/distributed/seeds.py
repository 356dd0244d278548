"""Seeds of dropout: of (seed, step, micro-batch, data rank, stage), no state to save."""

from __future__ import annotations

import hashlib

import torch


def seed_microbatch(
    *, seed: int, step: int, microbatch: int, data_rank: int, stage: int = 0
) -> None:
    """Seed torch's generators for one forward pass; its backward recomputation sees the same."""
    text = f"dropout {seed} {step} {microbatch} {data_rank}" + (f" {stage}" if stage else "")
    digest = hashlib.sha256(text.encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "little") >> 1)
