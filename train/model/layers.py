"""The parts of a block.

Shapes: B rows, T tokens, D width, N heads, K heads of keys and values, H head width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.model.config import ModelConfig


class RMSNorm(nn.Module):
    """Scale by the root of the mean square (Zhang and Sennrich 2019), in fp32 at least."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Normalise the last dimension."""
        wide = x_BTD.to(torch.promote_types(x_BTD.dtype, torch.float32))
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return (wide * scale).to(x_BTD.dtype) * self.weight


def make_norm(config: ModelConfig) -> nn.Module:
    """The norm that the configuration names."""
    if config.norm == "rmsnorm":
        return RMSNorm(config.width, config.norm_eps)
    return nn.LayerNorm(config.width, eps=config.norm_eps)


def rotary_tables(positions_BT: Tensor, width: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines [B, 1, T, H] of rotary positions (Su et al. 2021), halves side by side."""
    exponents = torch.arange(0, width, 2, device=positions_BT.device, dtype=torch.float32) / width
    angles = positions_BT[..., None].float() / base**exponents
    angles = torch.cat((angles, angles), dim=-1)[:, None]
    return angles.cos(), angles.sin()


def rotate(x_BNTH: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pairs (i, i + H/2) by their angles."""
    first, second = x_BNTH.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return (x_BNTH * cos + turned * sin).to(x_BNTH.dtype)


class LayerCache:
    """Keys and values [B, K, T, H] of the tokens seen so far, for generation."""

    def __init__(self) -> None:
        self._kept: tuple[Tensor, Tensor] | None = None

    @property
    def kept(self) -> tuple[Tensor, Tensor] | None:
        """What was seen; None before the first token."""
        return self._kept

    @property
    def tokens(self) -> int:
        """Tokens seen so far."""
        return 0 if self._kept is None else self._kept[0].shape[2]

    def extend(self, k_BKTH: Tensor, v_BKTH: Tensor) -> tuple[Tensor, Tensor]:
        """Append the new tokens; give all."""
        if self._kept is not None:
            k_BKTH = torch.cat((self._kept[0], k_BKTH), dim=2)
            v_BKTH = torch.cat((self._kept[1], v_BKTH), dim=2)
        self._kept = (k_BKTH, v_BKTH)
        return self._kept

    def reorder(self, rows: Tensor) -> None:
        """Let row i continue what row `rows[i]` holds; beams need it."""
        if self._kept is not None:
            self._kept = (self._kept[0][rows], self._kept[1][rows])


class Attention(nn.Module):
    """Attention through scaled_dot_product_attention; over `memory` it is cross attention."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_width
        self.config = config
        kv_width = config.num_kv_heads * config.head_width
        self.query = nn.Linear(config.width, inner, bias=config.bias)
        self.key = nn.Linear(config.width, kv_width, bias=config.bias)
        self.value = nn.Linear(config.width, kv_width, bias=config.bias)
        self.output = nn.Linear(inner, config.width, bias=config.bias)

    def forward(
        self,
        x_BTD: Tensor,
        mask: Tensor | None,
        rotary: tuple[Tensor, Tensor] | None,
        cache: LayerCache | None = None,
        memory: Tensor | None = None,
    ) -> Tensor:
        """Attend.

        Args:
            x_BTD: Queries come from it, and keys and values where there is no memory.
            mask: [B or 1, 1 or N, T, S], true where a token may look, or a bias to add to scores;
                None lets a decoder see what is before, an encoder and cross attention all.
            rotary: Cosines and sines of the positions.
            cache: Keys and values of earlier tokens; of the memory, which is projected once.
            memory: What the encoder gave, [B, S, D].
        """
        seen = x_BTD if memory is None else memory
        q = self._heads(self.query(x_BTD))
        if memory is not None and cache is not None and cache.kept is not None:
            k, v = cache.kept
        else:
            k, v = self._heads(self.key(seen)), self._heads(self.value(seen))
            if rotary is not None:
                k = rotate(k, *rotary)
            if cache is not None:
                k, v = cache.extend(k, v)
        if rotary is not None:
            q = rotate(q, *rotary)
        mixed_BNTH = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask,
            dropout_p=self.config.dropout if self.training else 0.0,
            is_causal=mask is None and memory is None and self.config.family not in ("t5", "bert"),
            # T5 has its scale in the initialisation of the queries.
            scale=1.0 if self.config.family == "t5" else None,
            enable_gqa=self.config.num_kv_heads != self.config.heads,
        )
        return self.output(mixed_BNTH.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _heads(self, x_BTD: Tensor) -> Tensor:
        heads: Tensor = x_BTD.unflatten(-1, (-1, self.config.head_width))  # type: ignore[no-untyped-call]
        return heads.transpose(1, 2)


class MLP(nn.Module):
    """Up, activation, down; gated ones multiply two projections."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.activation = config.activation
        self.up = nn.Linear(config.width, config.hidden_width, bias=config.bias)
        self.gate: nn.Linear | None = None
        if config.is_gated:
            self.gate = nn.Linear(config.width, config.hidden_width, bias=config.bias)
        self.down = nn.Linear(config.hidden_width, config.width, bias=config.bias)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Transform each token alone."""
        if self.gate is not None:
            gate = self.gate(x_BTD)
            active = (
                F.silu(gate) if self.activation == "swiglu" else F.gelu(gate, approximate="tanh")
            )
            return self.down(active * self.up(x_BTD))  # type: ignore[no-any-return]
        hidden = self.up(x_BTD)
        if self.activation == "relu":
            return self.down(F.relu(hidden))  # type: ignore[no-any-return]
        approximate = "tanh" if self.activation == "gelu_tanh" else "none"
        return self.down(F.gelu(hidden, approximate=approximate))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention and MLP, each added to the residual stream; norms before, in bert after."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.is_post_norm = config.family == "bert"
        self.attention_norm = make_norm(config)
        self.attention = Attention(config)
        self.mlp_norm = make_norm(config)
        self.mlp = MLP(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x_BTD: Tensor,
        mask: Tensor | None,
        rotary: tuple[Tensor, Tensor] | None,
        cache: LayerCache | None = None,
    ) -> Tensor:
        """One layer."""
        if self.is_post_norm:
            mixed = self.dropout(self.attention(x_BTD, mask, rotary, cache))
            x_BTD = self.attention_norm(x_BTD + mixed)
            return self.mlp_norm(x_BTD + self.dropout(self.mlp(x_BTD)))  # type: ignore[no-any-return]
        mixed = self.attention(self.attention_norm(x_BTD), mask, rotary, cache)
        x_BTD = x_BTD + self.dropout(mixed)
        return x_BTD + self.dropout(self.mlp(self.mlp_norm(x_BTD)))  # type: ignore[no-any-return]
