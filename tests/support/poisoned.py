"""The tiny model with rows whose loss is a multiple, for spikes at a chosen step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from schemas.manifest import Manifest
from tests.support.tiny_gpt import TinySums, build_tiny
from train.data.packed import PackedRows
from train.loop.build import Built
from train.warm_start.config import StartRequest


class Poisonable(nn.Module):
    def __init__(self, inner: nn.Module, factor: float) -> None:
        super().__init__()
        self.inner, self.factor = inner, factor

    def forward(self, batch: Any) -> TinySums:
        sums = self.inner(batch)
        if not batch.is_poisoned:
            return sums  # type: ignore[no-any-return]
        factor = self.factor
        return TinySums(sums.loss * factor, sums.loss_by_source * factor, sums.labels_by_source)


def build_poisoned(samples: set[int], factor: float = 9.0) -> Callable[..., Built]:
    """Stands in for `build_run`: micro-batches with one of the samples have `factor` times the loss."""

    def build(
        request: StartRequest, objective: object, manifest: Manifest, **more: object
    ) -> Built:
        built = build_tiny(request, objective, manifest, **more)

        def make_batch(rows: PackedRows) -> Any:
            batch: Any = built.make_batch(rows)
            batch.is_poisoned = not samples.isdisjoint(rows.sample_index.tolist())
            return batch

        return replace(built, model=Poisonable(built.model, factor), make_batch=make_batch)

    return build


NO_NUMBER = math.nan
