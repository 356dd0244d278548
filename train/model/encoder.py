"""BERT: an encoder with heads for masked tokens and for sentence pairs (Devlin et al. 2019).

Shapes: B rows, T tokens, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.batch.batch import NO_LABEL, Batch, LossSums
from train.model.attention import added_mask
from train.model.config import ModelConfig
from train.model.layers import Block
from train.model.loss import cross_entropy_sums, penalties
from train.model.norms import make_norm, set_real_tokens
from train.model.positions import rotary_tables, sinusoids


class Encoder(nn.Module):
    """An encoder with its heads; the head for tokens runs only on tokens that have a label."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.position: nn.Embedding | None = None
        if config.positions == "learned":
            self.position = nn.Embedding(config.max_positions, config.width)
        self.token_type = nn.Embedding(config.num_token_types, config.width)
        self.embedding_norm = make_norm(config)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.final_norm = make_norm(config) if config.has_final_norm else nn.Identity()
        self.pooler = nn.Linear(config.width, config.width)
        self.transform = nn.Linear(config.width, config.width)
        self.transform_norm = make_norm(config)
        self.head_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.pair_head = nn.Linear(config.width, 2)
        self.class_head: nn.Linear | None = None
        if config.num_classes is not None:
            self.class_head = nn.Linear(config.width, config.num_classes)

    def forward(self, batch: Batch) -> LossSums:
        """Sums of the losses of masked tokens, or of classes, and of sentence pairs."""
        return self.sums(self.encode(batch), batch)

    def sums(self, hidden_BTD: Tensor, batch: Batch) -> LossSums:
        """Sums of the losses, from the hidden states."""
        labels = batch.labels.reshape(-1)
        labelled = torch.nonzero(labels != NO_LABEL).squeeze(1)
        if batch.classes_at is not None:
            chosen_ND = self._class_features(hidden_BTD.flatten(0, 1)[labelled], batch.classes_at)
            head = self._class_head()
            loss, losses = cross_entropy_sums(chosen_ND, head.weight, labels[labelled], head.bias)
            return LossSums.of(loss, losses, labelled, batch)
        chosen_ND = self._transformed(hidden_BTD.flatten(0, 1)[labelled])
        loss, losses = cross_entropy_sums(
            chosen_ND,
            self.embedding.weight,
            labels[labelled],
            self.head_bias,
            extra=penalties(self.config),
        )
        pair_loss = None
        if batch.pair_labels is not None:
            scores = self.pair_logits(hidden_BTD)
            pair_loss = F.cross_entropy(scores, batch.pair_labels, reduction="sum")
        return LossSums.of(loss, losses, labelled, batch, pair_loss=pair_loss)

    def encode(self, batch: Batch) -> Tensor:
        """Hidden states [B, T, D] after the last block."""
        return self.finish(self.through(self.blocks, self.begin(batch), batch))

    def begin(self, batch: Batch) -> Tensor:
        """Embeddings [B, T, D] that the first block reads."""
        types = batch.token_types
        if types is None:
            types = torch.zeros_like(batch.input_ids)
        x_BTD = self.embedding(batch.input_ids) + self.token_type(types)
        if self.position is not None:
            x_BTD = x_BTD + self.position(batch.positions)
        elif self.config.positions == "sinusoidal":
            x_BTD = x_BTD + sinusoids(batch.positions, self.config.width)
        set_real_tokens(self, batch.document)
        return self.dropout(self.embedding_norm(x_BTD))  # type: ignore[no-any-return]

    def through(self, blocks: Iterable[nn.Module], x_BTD: Tensor, batch: Batch) -> Tensor:
        """Pass hidden states through some of the blocks: all of them, or those of a pipeline stage."""
        mask = None
        if batch.visible is not None:
            mask = partly_visible_mask(batch.document, batch.visible)
        elif not batch.is_whole:
            mask = both_ways_mask(
                batch.document, across_documents=self.config.attend_across_documents
            )
        if mask is not None and not (self.training and self.config.dropout):
            mask = added_mask(mask, x_BTD)
        set_real_tokens(self, batch.document)
        rotary = None
        if self.config.positions == "rotary":
            rotary = rotary_tables(
                batch.positions,
                self.config.rotary_width,
                self.config.rotary_base,
                self.config.rotary_scaling,
            )
        for block in blocks:
            x_BTD = block(x_BTD, mask, rotary)
        return x_BTD

    def finish(self, x_BTD: Tensor) -> Tensor:
        """Hidden states after the last norm; blocks with post-norm end in a norm of their own."""
        return self.final_norm(x_BTD)  # type: ignore[no-any-return]

    def logits(self, batch: Batch) -> Tensor:
        """Logits [B, T, V] of every token."""
        return self.head_logits(self.encode(batch))

    def head_logits(self, hidden: Tensor) -> Tensor:
        """Logits [..., V] of hidden states that `encode` gave."""
        return self._transformed(hidden) @ self.embedding.weight.T + self.head_bias

    def pair_logits(self, hidden_BTD: Tensor) -> Tensor:
        """Scores [B, 2] that the second sentence follows the first, or does not, from [CLS]."""
        pooled = torch.tanh(self.pooler(hidden_BTD[:, 0]))
        return self.pair_head(self._for_head(pooled))  # type: ignore[no-any-return]

    def class_logits(self, batch: Batch) -> Tensor:
        """Scores [B, num_classes] at [CLS], or [B, T, num_classes] at tokens, as the batch says."""
        hidden = self.encode(batch)
        at = batch.classes_at or "cls"
        chosen = hidden[:, 0] if at == "cls" else hidden
        return self._class_head()(self._class_features(chosen, at))  # type: ignore[no-any-return]

    def _class_features(self, hidden: Tensor, at: str) -> Tensor:
        """Hidden states as the class head reads them: pooled at [CLS] (Devlin et al. 2019, section 4)."""
        pooled = torch.tanh(self.pooler(hidden)) if at == "cls" else hidden
        return self._for_head(self.dropout(pooled))

    def _for_head(self, features: Tensor) -> Tensor:
        """Features as a head takes them: muP divides them by the width ratio, as `Transformer.finish` does."""
        ratio = self.config.width_ratio
        return features if ratio == 1 else features / ratio

    def _class_head(self) -> nn.Linear:
        if self.class_head is None:
            raise ValueError("a bert without model.num_classes has no head for classes")
        return self.class_head

    def _transformed(self, hidden: Tensor) -> Tensor:
        return self._for_head(self.transform_norm(F.gelu(self.transform(hidden))))


def partly_visible_mask(document_BT: Tensor, visible_BT: Tensor) -> Tensor:
    """[B, 1, T, T], true for visible and earlier tokens of a document (UniLM, Dong et al. 2019)."""
    tokens = document_BT.shape[1]
    causal = torch.ones(tokens, tokens, dtype=torch.bool, device=document_BT.device).tril()
    same = document_BT[:, :, None] == document_BT[:, None, :]
    return (same & (causal | visible_BT[:, None, :]))[:, None]


def both_ways_mask(document_BT: Tensor, *, across_documents: bool) -> Tensor:
    """[B, 1, T or 1, T], true for tokens of the same document, or for all but padding.

    A row of padding alone attends to itself: every query keeps one true entry, for softmax over
    none is NaN.
    """
    if across_documents:
        real = document_BT > 0
        return (real | ~real.any(1, keepdim=True))[:, None, None, :]
    return (document_BT[:, :, None] == document_BT[:, None, :])[:, None]
