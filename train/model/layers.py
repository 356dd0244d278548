"""Attention, MLP and the block of both.

Shapes: B rows, T tokens, D width, N heads, K heads of keys and values, H head width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.model.attention import attend_with_bias
from train.model.config import ModelConfig
from train.model.norms import RMSNorm, make_norm
from train.model.positions import rotate


class LayerCache:
    """Keys and values [B, K, T, H] of the tokens seen so far, for generation."""

    def __init__(self) -> None:
        self._kept: tuple[Tensor, Tensor] | None = None

    @property
    def kept(self) -> tuple[Tensor, Tensor] | None:
        """Keys and values; None before the first token."""
        return self._kept

    @property
    def tokens(self) -> int:
        """Number of tokens seen so far."""
        return 0 if self._kept is None else self._kept[0].shape[2]

    def extend(self, k_BKTH: Tensor, v_BKTH: Tensor) -> tuple[Tensor, Tensor]:
        """Append keys and values of new tokens, and return those of all."""
        if self._kept is not None:
            k_BKTH = torch.cat((self._kept[0], k_BKTH), dim=2)
            v_BKTH = torch.cat((self._kept[1], v_BKTH), dim=2)
        self._kept = (k_BKTH, v_BKTH)
        return self._kept

    def copies(self, rows: int) -> LayerCache:
        """A cache of so many rows that all continue what the first row of this one holds."""
        copied = LayerCache()
        if self._kept is not None:
            k, v = (one[:1].expand(rows, -1, -1, -1) for one in self._kept)
            copied.extend(k, v)
        return copied

    def reorder(self, rows: Tensor) -> None:
        """Let row i continue what row `rows[i]` holds, as beam search needs it."""
        if self._kept is not None:
            self._kept = (self._kept[0][rows], self._kept[1][rows])


class Attention(nn.Module):
    """Multi-head attention; cross attention where it is called with a `memory`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        inner = config.num_heads * config.head_width
        self.config = config
        kv_width = config.num_kv_heads * config.head_width
        # T5 does not scale scores: its queries start smaller by the root of the head width.
        self.scale = 1.0 if config.family == "t5" else config.head_width**-0.5
        self.query = nn.Linear(config.width, inner, bias=config.qkv_bias)
        self.key = nn.Linear(config.width, kv_width, bias=config.qkv_bias)
        self.value = nn.Linear(config.width, kv_width, bias=config.qkv_bias)
        self.output = nn.Linear(inner, config.width, bias=config.bias)
        self.query_norm: nn.Module = nn.Identity()
        self.key_norm: nn.Module = nn.Identity()
        if config.qk_norm:
            self.query_norm = RMSNorm(config.head_width, config.norm_eps)
            self.key_norm = RMSNorm(config.head_width, config.norm_eps)

    def forward(
        self,
        x_BTD: Tensor,
        mask: Tensor | None,
        rotary: tuple[Tensor, Tensor] | None,
        cache: LayerCache | None = None,
        memory: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> Tensor:
        """Mix the values of the tokens that each token attends to, [B, T, D].

        Args:
            x_BTD: Gives the queries, and without a memory also keys and values.
            mask: [B or 1, 1, 1 or T, S], true where a token may attend, or what is added to the scores
                (`added_mask`; with neither bias nor dropout). None: in a decoder to itself and earlier
                tokens, in an encoder and to a memory everywhere.
            rotary: Cosines and sines of rotary positions.
            cache: Keys and values of earlier tokens, or of the memory, which is projected once.
            memory: The encoder's states [B, S, D].
            bias: [1, N, T, S], added to the scores.
        """
        seen = x_BTD if memory is None else memory
        q = self.query_norm(self._heads(self.query(x_BTD)))
        if memory is not None and cache is not None and cache.kept is not None:
            k, v = cache.kept
        else:
            k, v = self.key_norm(self._heads(self.key(seen))), self._heads(self.value(seen))
            if rotary is not None:
                k = rotate(k, *rotary)
            if cache is not None:
                k, v = cache.extend(k, v)
        if rotary is not None:
            q = rotate(q, *rotary)
        mixed_BNTH = self._mix(q, k, v, mask, bias, is_causal=mask is None and memory is None)
        return self.output(mixed_BNTH.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _mix(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | None,
        bias: Tensor | None,
        *,
        is_causal: bool,
    ) -> Tensor:
        config = self.config
        dropout = config.dropout if self.training else 0.0
        is_causal = is_causal and config.family not in ("t5", "bert")
        if bias is None and not dropout:
            if mask is not None and mask.is_floating_point():
                mask = mask.to(q.dtype)
            return F.scaled_dot_product_attention(
                q,
                k,
                v,
                attn_mask=mask,
                is_causal=is_causal,
                scale=self.scale,
                enable_gqa=config.num_kv_heads != config.num_heads,
            )
        if is_causal:
            ones = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device)
            mask = ones.tril(k.shape[2] - q.shape[2])[None, None]
        if config.num_kv_heads != config.num_heads:
            times = q.shape[1] // k.shape[1]
            k, v = k.repeat_interleave(times, 1), v.repeat_interleave(times, 1)
        return attend_with_bias(q, k, v, bias, mask, scale=self.scale, dropout=dropout)

    def _heads(self, x_BTD: Tensor) -> Tensor:
        heads: Tensor = x_BTD.unflatten(-1, (-1, self.config.head_width))  # type: ignore[no-untyped-call]
        return heads.transpose(1, 2)


@dataclass
class Mixture:
    """What all MLPs of a model look at while another activation gives way (train/model/blend.py).

    Attributes:
        before: The activation that gives way.
        share: Of the new one, as a tensor without dimensions, so that a compiled model stays the same.
        is_done: Whether the new one is alone.
    """

    before: str
    share: Tensor
    is_done: bool = False


class MLP(nn.Module):
    """Two matrices with an activation between; a gated MLP multiplies two projections first."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.activation = config.activation
        self.mixture: Mixture | None = None
        self.up = nn.Linear(config.width, config.mlp_width, bias=config.bias)
        self.gate: nn.Linear | None = None
        if config.is_gated:
            self.gate = nn.Linear(config.width, config.mlp_width, bias=config.bias)
        self.down = nn.Linear(config.mlp_width, config.width, bias=config.bias)

    def forward(self, x_BTD: Tensor) -> Tensor:
        if self.gate is not None:
            return self.down(self._active(self.gate(x_BTD)) * self.up(x_BTD))  # type: ignore[no-any-return]
        return self.down(self._active(self.up(x_BTD)))  # type: ignore[no-any-return]

    def _active(self, hidden_BTH: Tensor) -> Tensor:
        now, mixture = activate(self.activation, hidden_BTH), self.mixture
        if mixture is None or mixture.is_done:
            return now
        before = activate(mixture.before, hidden_BTH)
        return before * (1 - mixture.share) + now * mixture.share


def activate(name: str, hidden: Tensor) -> Tensor:
    """The activation of a name, value by value; of a gated MLP, that of its gate."""
    match name:
        case "relu":
            return F.relu(hidden)
        case "swiglu":
            return F.silu(hidden)
        case "gelu":
            return F.gelu(hidden)
        case _:
            return F.gelu(hidden, approximate="tanh")


def weighted_part(part: Tensor, weight: float) -> Tensor:
    """A part of a block times its weight in the sum (Dey et al. 2025, CompleteP: 1 over the depths' ratio)."""
    return part if weight == 1 else part * weight


def make_after_norm(config: ModelConfig) -> nn.Module:
    """The norm after a part in sandwich blocks (Ding et al. 2021, section 2.4); none elsewhere."""
    return make_norm(config) if config.norm_position == "sandwich" else nn.Identity()


class Block(nn.Module):
    """Attention and MLP, each added to the residual stream, and norms where `norm_position` says.

    `attention_after` and `mlp_after` are the second norms of sandwich blocks, elsewhere identities.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.is_post_norm = config.norm_position == "post"
        self.is_parallel = config.parallel_residual
        self.part_weight = 1 / config.depth_ratio
        self.attention_norm = make_norm(config)
        self.attention = Attention(config)
        self.attention_after = make_after_norm(config)
        self.mlp_norm = make_norm(config)
        self.mlp = MLP(config)
        self.mlp_after = make_after_norm(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x_BTD: Tensor,
        mask: Tensor | None,
        rotary: tuple[Tensor, Tensor] | None,
        cache: LayerCache | None = None,
    ) -> Tensor:
        if self.is_post_norm:
            mixed = self._weighted(self.attention(x_BTD, mask, rotary, cache))
            x_BTD = self.attention_norm(x_BTD + mixed)
            return self.mlp_norm(x_BTD + self._weighted(self.mlp(x_BTD)))  # type: ignore[no-any-return]
        mixed = self.attention_after(
            self.attention(self.attention_norm(x_BTD), mask, rotary, cache)
        )
        seen = x_BTD
        x_BTD = x_BTD + self._weighted(mixed)
        # Wang and Komatsuzaki 2021 (GPT-J): the MLP reads the block's input, as attention does.
        changed = self.mlp_after(self.mlp(self.mlp_norm(seen if self.is_parallel else x_BTD)))
        return x_BTD + self._weighted(changed)

    def _weighted(self, part_BTD: Tensor) -> Tensor:
        """What a part adds to the residual stream; with CompleteP, the less the deeper the model is."""
        return weighted_part(self.dropout(part_BTD), self.part_weight)
