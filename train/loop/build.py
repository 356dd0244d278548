"""Model and objective of a recipe as the loop takes them; only this module knows their packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from schemas.manifest import Manifest
from train.data.packed import PackedRows
from train.settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a run trains.

    Attributes:
        model: Takes a batch and gives sums: `loss` (a scalar with gradient), `loss_by_source` and
            `labels_by_source` (without).
        make_batch: The objective: packed rows to what the model takes.
        model_identity: Fields that a checkpoint must share with the run that resumes it.
        export: Write a Hugging Face folder: (target, tokenizer folder).
    """

    model: nn.Module
    make_batch: Callable[[PackedRows], Any]
    model_identity: dict[str, Any]
    export: Callable[[Path, Path], None]


def build_run(settings: TrainSettings, manifest: Manifest) -> Built:
    """Build model and objective of a recipe for a manifest."""
    raise NotImplementedError
