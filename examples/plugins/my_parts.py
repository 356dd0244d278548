"""Parts of a run of your own: a schedule, an optimizer, an objective, a model and a sink.

    PYTHONPATH=examples/plugins python -m train pretrain --recipe examples/plugins/train.yaml

What each is given and has to return is in docs/training_engine.md, under "use parts of my own".
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from train.api import (
    Batch,
    ModelConfig,
    ObjectiveContext,
    PackedRows,
    Progress,
    ScheduleConfig,
    Transformer,
    build_causal,
)


def triangle(progress: Progress, config: ScheduleConfig, *, periods: int = 1) -> float:
    """A rate that rises to the peak and falls again, so many times (Smith 2017)."""
    share = progress.step / progress.total_steps * periods % 1.0
    return config.min_lr + (config.peak_lr - config.min_lr) * (1 - abs(2 * share - 1))


class SignSgd(torch.optim.Optimizer):
    """A step of one length in each direction (Bernstein et al. 2018)."""

    def __init__(self, groups: Any, *, lr: float) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(parameter.grad.sign(), alpha=-group["lr"])


class SkipsFirstLabels:
    """Causal language modelling that scores no token before some position of its document."""

    def __init__(self, context: ObjectiveContext, *, skipped: int) -> None:
        self._inner = build_causal(context)
        self._skipped = skipped

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        batch = self._inner.build(rows, seed=seed)
        no_label = torch.full_like(batch.labels, -100)
        return replace(
            batch, labels=torch.where(batch.positions < self._skipped, no_label, batch.labels)
        )


class ScaledEmbedding(nn.Embedding):
    """A table whose rows are multiplied when they are read; a tied head reads them as they are."""

    factor: float

    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids) * self.factor


def scaled_transformer(config: ModelConfig, *, factor: float) -> Transformer:
    """A decoder whose embeddings are multiplied before the first block, as in Gemma."""
    model = Transformer(config)
    model.embedding = ScaledEmbedding(config.vocab_size, config.width)
    model.embedding.factor = factor
    return model


class LastLoss:
    """Keeps the last loss in a file that another program watches."""

    def __init__(self, *, output: Path, first_step: int, name: str = "last_loss.json") -> None:
        self._path = output / name

    def write(self, record: dict[str, Any]) -> None:
        self._path.write_text(json.dumps({"step": record["step"], "loss": record["loss"]}))
