"""A small causal model with dropout that gives sums by source, for tests of the engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from schemas.manifest import Manifest
from train.data.packed import PackedRows
from train.loop.build import Built
from train.warm_start.config import StartRequest


@dataclass
class TinySums:
    loss: Tensor
    loss_by_source: Tensor
    labels_by_source: Tensor


@dataclass
class TinyBatch:
    input_ids: Tensor
    labels: Tensor
    sources: Tensor
    num_sources: int


def make_batch(rows: PackedRows) -> TinyBatch:
    """Next-token labels inside each row; padding has none."""
    ids = rows.input_ids.astype(np.int64)
    owner = np.full(ids.shape, -1, np.int64)
    for row, start, length, source in zip(
        rows.segment_row,
        rows.segment_start,
        rows.segment_length,
        rows.segment_source,
        strict=True,
    ):
        owner[row, start : start + length] = source
    labels = np.concatenate([ids[:, 1:], rows.next_token[:, None].astype(np.int64)], axis=1)
    following = np.concatenate([owner[:, 1:], np.full((len(ids), 1), -1)], axis=1)
    labels[:, :-1][following[:, :-1] < 0] = -1
    return TinyBatch(
        torch.from_numpy(ids), torch.from_numpy(labels), torch.from_numpy(owner), len(rows.sources)
    )


class TinyBlock(nn.Module):
    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.ff = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        q, k, v = self.qkv(self.norm(x)).view(batch, tokens, 3, 2, width // 2).unbind(2)
        mixed = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True
        )
        x = x + self.dropout(self.out(mixed.transpose(1, 2).reshape(batch, tokens, width)))
        return x + self.dropout(self.ff(x))


class TinyGpt(nn.Module):
    def __init__(self, vocab: int, width: int = 16, layers: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.blocks = nn.ModuleList(TinyBlock(width, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, batch: TinyBatch) -> TinySums:
        x = self.embed(batch.input_ids)
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.embed.weight)
        losses = F.cross_entropy(
            logits.flatten(0, 1).float(),
            batch.labels.flatten(),
            ignore_index=-1,
            reduction="none",
        )
        valid = batch.labels.flatten() >= 0
        owner = batch.sources.flatten()[valid]
        zeros = torch.zeros(batch.num_sources, dtype=torch.float64)
        return TinySums(
            loss=losses.sum(),
            loss_by_source=zeros.scatter_add(0, owner, losses.detach()[valid].double()),
            labels_by_source=zeros.scatter_add(0, owner, torch.ones_like(owner).double()),
        )


def build_tiny(
    request: StartRequest, objective: object, manifest: Manifest, **warm_start: object
) -> Built:
    """Stands in for `build_run`; `model: {preset: tiny, dropout: x}`."""
    torch.manual_seed(request.seed)
    vocab = manifest.tokenizer.vocab_size
    model = TinyGpt(vocab, dropout=float(request.model.get("dropout", 0.1)))
    return Built(
        model=model,
        make_batch=make_batch,
        model_identity={"preset": "tiny", "vocab": vocab},
        export=lambda target, weights, tokenizer: Path(target).mkdir(parents=True, exist_ok=True),
    )
