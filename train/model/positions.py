"""Positions without parameters: rotary and sinusoidal.

Shapes: B rows, T tokens, N heads, H head width, R rotated width, D width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from train.model.config import RotaryScaling


def rotary_tables(
    positions_BT: Tensor, width: int, base: float, scaling: RotaryScaling | None = None
) -> tuple[Tensor, Tensor]:
    """Cosines and sines [B, 1, T, R] of rotary positions (Su et al. 2021), halves side by side."""
    exponents = torch.arange(0, width, 2, device=positions_BT.device, dtype=torch.float32) / width
    speeds = 1.0 / base**exponents
    if scaling is not None:
        speeds = _scaled(speeds, scaling)
    angles = positions_BT[..., None].float() * speeds
    angles = torch.cat((angles, angles), dim=-1)[:, None]
    return angles.cos(), angles.sin()


def _scaled(speeds: Tensor, scaling: RotaryScaling) -> Tensor:
    """Angles per position after scaling.

    Source of `llama3`: modeling_rope_utils.py of transformers: turns that are done often in the
    first positions stay, seldom ones become slower, those between are mixed.
    """
    slower = speeds / scaling.factor
    if scaling.kind == "linear":
        return slower
    turns = scaling.first_positions * speeds / (2 * math.pi)
    low, high = scaling.low_frequency, scaling.high_frequency
    share = ((turns - low) / (high - low)).clamp(0, 1)
    return (1 - share) * slower + share * speeds


def rotate(x_BNTH: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pairs (i, i + R/2) of the first R components by their angles; the rest stays."""
    width = cos.shape[-1]
    if width < x_BNTH.shape[-1]:
        turned, plain = x_BNTH[..., :width], x_BNTH[..., width:]
        return torch.cat((rotate(turned, cos, sin), plain), dim=-1)
    first, second = x_BNTH.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return (x_BNTH * cos + turned * sin).to(x_BNTH.dtype)


def sinusoids(positions_BT: Tensor, width: int) -> Tensor:
    """[B, T, D], sine in even and cosine in odd components (Vaswani et al. 2017, section 3.5)."""
    exponents = torch.arange(0, width, 2, device=positions_BT.device, dtype=torch.float32) / width
    angles = positions_BT[..., None].float() / 10_000.0**exponents
    both = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-2)
    return both[..., :width]
