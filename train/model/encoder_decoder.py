"""T5: an encoder and a decoder with relative positions (Raffel et al. 2020).

Shapes: B rows, T tokens read, U tokens decoded, D width, N heads, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from train.batch.batch import NO_LABEL, Batch, LossSums
from train.model.config import ModelConfig
from train.model.encoder import both_ways_mask
from train.model.layers import MLP, Attention, LayerCache, make_after_norm, weighted_part
from train.model.loss import cross_entropy_sums, penalties
from train.model.norms import make_norm, set_real_tokens


class CrossCache:
    """Keys and values that a decoder's layer keeps: of its own tokens, and of the encoder's states."""

    def __init__(self) -> None:
        self.own, self.memory = LayerCache(), LayerCache()

    def reorder(self, rows: Tensor) -> None:
        """Let row i continue what row `rows[i]` holds."""
        self.own.reorder(rows)
        self.memory.reorder(rows)


class StackBlock(nn.Module):
    """Self-attention, attention over the encoder's states (in the decoder only), MLP.

    Norms lie as in `train.model.layers.Block`.
    """

    def __init__(self, config: ModelConfig, *, has_memory: bool) -> None:
        super().__init__()
        self.is_post_norm = config.norm_position == "post"
        self.part_weight = 1 / config.depth_ratio
        self.attention_norm = make_norm(config)
        self.attention = Attention(config)
        self.attention_after = make_after_norm(config)
        self.cross_norm: nn.Module | None = None
        self.cross_attention: Attention | None = None
        self.cross_after: nn.Module | None = None
        if has_memory:
            self.cross_norm = make_norm(config)
            self.cross_attention = Attention(config)
            self.cross_after = make_after_norm(config)
        self.mlp_norm = make_norm(config)
        self.mlp = MLP(config)
        self.mlp_after = make_after_norm(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x_BTD: Tensor,
        bias: Tensor,
        memory: Tensor | None,
        memory_mask: Tensor | None,
        cache: CrossCache | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """One layer; `bias` [1, N, T, S] is added to the scores of self-attention."""
        own, other = (None, None) if cache is None else (cache.own, cache.memory)

        def attend_self(y_BTD: Tensor) -> Tensor:
            return self.attention(y_BTD, mask, None, own, None, bias)  # type: ignore[no-any-return]

        x_BTD = self._add(x_BTD, attend_self, self.attention_norm, self.attention_after)
        if self.cross_attention is not None:
            cross = self.cross_attention

            def attend_memory(y_BTD: Tensor) -> Tensor:
                return cross(y_BTD, memory_mask, None, other, memory)  # type: ignore[no-any-return]

            x_BTD = self._add(x_BTD, attend_memory, self.cross_norm, self.cross_after)
        return self._add(x_BTD, self.mlp, self.mlp_norm, self.mlp_after)

    def _add(
        self,
        x_BTD: Tensor,
        part: Callable[[Tensor], Tensor],
        norm: nn.Module | None,
        after: nn.Module | None,
    ) -> Tensor:
        assert norm is not None
        assert after is not None
        if self.is_post_norm:
            added = weighted_part(self.dropout(part(x_BTD)), self.part_weight)
            return norm(x_BTD + added)  # type: ignore[no-any-return]
        added = weighted_part(self.dropout(after(part(norm(x_BTD)))), self.part_weight)
        return x_BTD + added


class Stack(nn.Module):
    """Blocks that share one table of relative positions."""

    def __init__(self, config: ModelConfig, *, is_decoder: bool) -> None:
        super().__init__()
        self.config = config
        self.is_decoder = is_decoder
        self.relative = nn.Embedding(config.num_relative_buckets, config.num_heads)
        self.blocks = nn.ModuleList(
            StackBlock(config, has_memory=is_decoder) for _ in range(config.num_layers)
        )
        self.final_norm = make_norm(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x_BTD: Tensor,
        mask: Tensor | None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        caches: list[CrossCache] | None = None,
    ) -> Tensor:
        """Hidden states [B, T, D] of a stack.

        Args:
            x_BTD: Embeddings of the tokens.
            mask: True where a token may attend; None: everywhere.
            memory: The encoder's states, for a decoder.
            memory_mask: True where a token may attend to the memory; None: everywhere.
            caches: One for each block; the tokens follow those that the caches hold.
        """
        x_BTD = self.begin(x_BTD)
        x_BTD = self.through(self.blocks, x_BTD, mask, memory, memory_mask, caches)
        return self.finish(x_BTD)

    def begin(self, x_BTD: Tensor) -> Tensor:
        """What the first block of the stack reads."""
        return self.dropout(x_BTD)  # type: ignore[no-any-return]

    def through(
        self,
        blocks: Iterable[nn.Module],
        x_BTD: Tensor,
        mask: Tensor | None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        caches: list[CrossCache] | None = None,
    ) -> Tensor:
        """Pass hidden states through some of the blocks: all of them, or those of a pipeline stage."""
        seen = 0 if caches is None else caches[0].own.tokens
        bias = self._bias(x_BTD.shape[1], x_BTD.device, seen=seen)
        if mask is not None and mask.ndim == 2:
            mask = mask[None, None]
        for layer, block in enumerate(blocks):
            cache = None if caches is None else caches[layer]
            x_BTD = block(x_BTD, bias, memory, memory_mask, cache, mask)
        return x_BTD

    def finish(self, x_BTD: Tensor) -> Tensor:
        """Hidden states after the last block."""
        return self.dropout(self.final_norm(x_BTD))  # type: ignore[no-any-return]

    def _bias(self, tokens: int, device: torch.device, *, seen: int) -> Tensor:
        positions = torch.arange(seen + tokens, device=device)
        buckets = relative_buckets(
            positions[None] - positions[seen:, None],
            both_ways=not self.is_decoder,
            num_buckets=self.config.num_relative_buckets,
            max_distance=self.config.max_relative_distance,
        )
        return self.relative(buckets).permute(2, 0, 1)[None]  # type: ignore[no-any-return]


class EncoderDecoder(nn.Module):
    """T5 v1.0 where the head is tied (logits are scaled), v1.1 where it is not."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.encoder = Stack(config, is_decoder=False)
        self.decoder = Stack(config, is_decoder=True)
        if config.share_stacks:
            _share_blocks(self.encoder, self.decoder)
        self.head: nn.Linear | None = None
        if not config.tied_head:
            self.head = nn.Linear(config.width, config.vocab_size, bias=False)

    def forward(self, batch: Batch) -> LossSums:
        """Sums of the losses of a batch's targets."""
        return self.sums(self.encode(batch), batch)

    def sums(self, hidden_BUD: Tensor, batch: Batch) -> LossSums:
        """Sums of the losses, from the decoder's hidden states."""
        labels = batch.labels.reshape(-1)
        labelled = torch.nonzero(labels != NO_LABEL).squeeze(1)
        chosen_ND = hidden_BUD.flatten(0, 1)[labelled]
        loss, losses = cross_entropy_sums(
            chosen_ND, self.head_weight(), labels[labelled], extra=penalties(self.config)
        )
        return LossSums.of(loss, losses, labelled, batch)

    def encode(self, batch: Batch) -> Tensor:
        """The decoder's hidden states [B, U, D] as the head takes them."""
        if batch.decoder_ids is None:
            raise ValueError("a t5 needs decoder_ids; the objective gives none")
        mask, memory_mask = self.masks(batch)
        set_real_tokens(self.encoder, batch.document)
        set_real_tokens(self.decoder, batch.segment + 1)
        memory = self.encoder(self.embedding(batch.input_ids), mask)
        return self._decoded(batch.decoder_ids, memory, memory_mask, None)

    def masks(self, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        """Masks of the encoder's attention and of the decoder's attention over the memory.

        True where a token may attend; None where it may attend everywhere.
        """
        mask = memory_mask = None
        if not (batch.is_whole or bool((batch.document > 0).all())):
            memory_mask = both_ways_mask(batch.document, across_documents=True)
            mask = memory_mask
        if not (self.config.attend_across_documents or batch.is_whole):
            mask = both_ways_mask(batch.document, across_documents=False)
        return mask, memory_mask

    def decode(
        self,
        ids_BU: Tensor,
        memory_BTD: Tensor,
        memory_mask: Tensor | None,
        caches: list[CrossCache],
    ) -> Tensor:
        """Logits [B, V] after the last of some new decoder tokens.

        Args:
            ids_BU: Tokens that the caches have not seen.
            memory_BTD: The encoder's hidden states.
            memory_mask: [B, 1, 1, T], false at padding.
            caches: One for each block of the decoder; each grows by U.
        """
        hidden = self._decoded(ids_BU, memory_BTD, memory_mask, caches)
        return hidden[:, -1] @ self.head_weight().T

    def _decoded(
        self,
        ids_BU: Tensor,
        memory: Tensor,
        memory_mask: Tensor | None,
        caches: list[CrossCache] | None,
    ) -> Tensor:
        length = ids_BU.shape[1]
        seen = 0 if caches is None else caches[0].own.tokens
        causal = causal_mask(length, memory.device, seen=seen)
        hidden = self.decoder(self.embedding(ids_BU), causal, memory, memory_mask, caches)
        return self.scaled(hidden)

    def scaled(self, hidden_BUD: Tensor) -> Tensor:
        """Hidden states as the head takes them: scaled by width^-1/2 where the head is tied.

        With muP, by base width^-1/2 and the ratio of the widths: rows of the table move along with the hidden states, so
        their products grow with the width, not with its root.
        """
        config = self.config
        factor = config.base_width**-0.5 if config.tied_head else 1.0
        factor /= config.width_ratio
        return hidden_BUD if factor == 1 else hidden_BUD * factor

    def logits(self, batch: Batch) -> Tensor:
        """Logits [B, U, V] of every target token."""
        return self.head_logits(self.encode(batch))

    def head_logits(self, hidden: Tensor) -> Tensor:
        """Logits [..., V] of hidden states that `encode` gave."""
        return hidden @ self.head_weight().T

    def head_weight(self) -> Tensor:
        """Matrix [V, D] of the head, which is the embedding where the head is tied."""
        return self.embedding.weight if self.head is None else self.head.weight


def _share_blocks(encoder: Stack, decoder: Stack) -> None:
    """Let the decoder's blocks use the encoder's modules, except those that read the memory.

    Each stack keeps its own table of relative positions and its last norm: the encoder's buckets
    tell earlier from later keys, the decoder's do not. Source: Raffel et al. 2020, section 3.2.2 (the shared encoder-decoder).
    """
    for theirs, ours in zip(encoder.blocks, decoder.blocks, strict=True):
        for name, module in theirs.named_children():
            setattr(ours, name, module)


def causal_mask(tokens: int, device: torch.device, *, seen: int = 0) -> Tensor:
    """[T, seen + T], true where a token may attend: to itself and to all earlier ones."""
    return torch.ones(tokens, seen + tokens, dtype=torch.bool, device=device).tril(seen)


def relative_buckets(
    relative: Tensor, *, both_ways: bool, num_buckets: int, max_distance: int
) -> Tensor:
    """Bucket of each key's position minus its query's: exact when near, logarithmic when far.

    Half of the buckets are for keys after the query where `both_ways`, otherwise none is.
    Source: Raffel et al. 2020, section 2.1, with the constants of mesh-tensorflow.
    """
    if both_ways:
        num_buckets //= 2
        offset = (relative > 0).long() * num_buckets
        distance = relative.abs()
    else:
        offset = torch.zeros_like(relative)
        distance = (-relative).clamp(min=0)
    exact = num_buckets // 2
    ratio = torch.log(distance.clamp(min=1).float() / exact) / math.log(max_distance / exact)
    far = (exact + (ratio * (num_buckets - exact)).long()).clamp(max=num_buckets - 1)
    return offset + torch.where(distance < exact, distance, far)
