"""Model and objective of a recipe as the loop takes them; only this module knows their packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from schemas.manifest import Manifest
from train.batch import Batch
from train.data.packed import PackedRows
from train.exchange.folder import export_folder
from train.model.presets import resolve_model
from train.model.transformer import build_model
from train.objectives.build import build_objective
from train.objectives.config import parse_objective
from train.settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a run trains.

    Attributes:
        model: Takes a batch and gives sums: `loss` (a scalar with gradient), `loss_by_source` and
            `labels_by_source` (without).
        make_batch: The objective: packed rows to what the model takes.
        model_identity: Fields that a checkpoint must share with the run that resumes it.
        export: Write a Hugging Face folder: (target, whole weights by name, tokenizer folder).
    """

    model: nn.Module
    make_batch: Callable[[PackedRows], Any]
    model_identity: dict[str, Any]
    export: Callable[[Path, dict[str, torch.Tensor], Path], None]


def build_run(settings: TrainSettings, manifest: Manifest) -> Built:
    """Build model and objective of a recipe for a manifest.

    Raises:
        SettingsError: The preset, a field or the objective is unknown or does not fit the manifest.
    """
    config = resolve_model(
        settings.model, vocab_size=manifest.tokenizer.vocab_size, seq_len=manifest.seq_len
    )
    objective = build_objective(
        parse_objective(settings.objective),
        manifest.tokenizer.special_ids,
        family=config.family,
        vocab_size=config.vocab_size,
        seq_len=manifest.seq_len,
    )

    def make_batch(rows: PackedRows) -> Batch:
        return objective.build(rows, seed=settings.seed)

    def export(target: Path, weights: dict[str, torch.Tensor], tokenizer: Path) -> None:
        export_folder(target, weights, config, manifest.tokenizer.special_ids, tokenizer)

    # Dropout draws nothing from the weights: a run may resume with another rate.
    identity = config.model_dump(mode="json", exclude={"dropout", "init_std"})
    return Built(
        model=build_model(config, seed=settings.seed),
        make_batch=make_batch,
        model_identity=identity,
        export=export,
    )
