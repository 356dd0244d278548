"""Model and objective of a recipe as the loop takes them; only this module knows their packages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from schemas.errors import SettingsError
from schemas.manifest import Manifest
from train.data.packed import PackedRows
from train.evaluation.heldout import EvaluationBatches
from train.exchange.folder import export_folder
from train.model.config import ModelConfig, unsaid
from train.objectives.build import build_for_manifest
from train.objectives.causal import CausalObjective
from train.objectives.config import ObjectiveConfig, parse_objective
from train.objectives.heads import unread_tensors
from train.vocabulary.trainable import merge_rows
from train.warm_start.config import StartRequest
from train.warm_start.start import Resumed, Start, StartedModel, choose_start, start_model
from train.warm_start.summary import StartReport

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a run trains.

    Attributes:
        model: Takes a batch and gives sums: `loss` (a scalar with gradient), `loss_by_source` and
            `labels_by_source` (without).
        make_batch: The objective: packed rows to what the model takes.
        model_identity: Fields that a checkpoint must share with the run that resumes it.
        export: Write a Hugging Face folder: (target, whole weights by name, tokenizer folder).
        new_rows: First and one past the last id that the base does not know, where one was extended.
        model_config: The shape; None for models that are not ours.
        start_report: What was loaded, what is new, how the first loss compares; None after a resume and
            for a run that starts from nothing.
        evaluates: How rows become batches of an evaluation: by the objective without augmentation.
    """

    model: nn.Module
    make_batch: Callable[[PackedRows], Any]
    model_identity: dict[str, Any]
    export: Callable[[Path, dict[str, torch.Tensor], Path], None]
    new_rows: tuple[int, int] | None = None
    model_config: ModelConfig | None = None
    start_report: StartReport | None = None
    evaluates: EvaluationBatches | None = None

    @property
    def evaluation_batches(self) -> EvaluationBatches:
        """How rows become batches of an evaluation; as in training, where nothing else is said."""
        return self.evaluates or EvaluationBatches(make_batch=self.make_batch)


def build_run(
    request: StartRequest,
    objective: Mapping[str, Any],
    manifest: Manifest,
    *,
    tokenizer: Callable[[], Path] | None = None,
    resumed: Resumed | None = None,
) -> Built:
    """Build model and objective of a recipe for a manifest.

    Args:
        request: How the weights begin.
        objective: The recipe's `objective` block.
        manifest: The dataset that the run reads.
        tokenizer: Gives the folder of the manifest's tokenizer; only a warm start asks for it.
        resumed: What the checkpoint that will fill the weights says of its run; the source of a warm
            start is then not read.

    Raises:
        SettingsError: The preset, a field or the objective is unknown or does not fit the manifest.
        ContractError: The weights to start from do not fit.
    """
    start = choose_start(request, manifest, tokenizer=tokenizer, resumed=resumed)
    config = start.config
    chosen = parse_objective(dict(objective))
    make_objective = partial(
        build_for_manifest,
        manifest=manifest,
        family=config.family,
        vocab_size=config.vocab_size,
        max_positions=config.max_positions if config.positions == "learned" else None,
    )
    task = make_objective(chosen)
    plain = make_objective(chosen.model_copy(update={"augment": None}))

    def export(target: Path, weights: dict[str, torch.Tensor], tokenizer: Path) -> None:
        whole = merge_rows(weights)
        export_folder(target, whole, config, manifest.tokenizer.special_ids, tokenizer)

    # Dropout draws nothing from the weights: a run may resume with another rate.
    identity = config.model_dump(mode="json", exclude={"dropout", "init_std", *unsaid(config)})
    started = start_model(start, request)
    if resumed is None:
        _check_new_heads(start, started, request, chosen)
    _freeze_unread_heads(started, chosen, config.family)
    return Built(
        model=started.model,
        model_config=config,
        make_batch=partial(task.build, seed=request.seed),
        evaluates=EvaluationBatches(
            make_batch=partial(plain.build, seed=request.seed),
            causal=plain if isinstance(plain, CausalObjective) else None,
        ),
        model_identity=identity,
        export=export,
        new_rows=start.new_rows,
        start_report=StartReport.of(start, started, request.warm_start)
        if resumed is None
        else None,
    )


def _check_new_heads(
    start: Start, started: StartedModel, request: StartRequest, objective: ObjectiveConfig
) -> None:
    """Refuse to predict with a head that is drawn and never trained; say which heads are not read.

    Raises:
        SettingsError: Only new rows are trained, and the objective reads a head that began anew.
    """
    is_loaded = start.source is not None
    new = (
        started.fresh if is_loaded else tuple(name for name, _ in started.model.named_parameters())
    )
    unread = unread_tensors(new, objective, family=start.config.family)
    frozen = [name for name in started.fresh if name not in unread]
    if request.trainable == "new_embeddings" and frozen:
        assert start.source is not None
        raise SettingsError(
            f"trainable: new_embeddings trains rows of tokens alone, and objective.name: "
            f"{objective.name} would read {_heads(frozen)}, which {start.source.path} lacks: they "
            "would stay as they are drawn; set trainable: all, or begin from weights that have them"
        )
    if unread:
        logger.info(
            "objective %s does not train %s: they stay as they are drawn, in the export too",
            objective.name,
            _heads(unread),
        )


def _freeze_unread_heads(started: StartedModel, objective: ObjectiveConfig, family: str) -> None:
    """Keep heads as they are that the objective does not read: weight decay would shrink them."""
    parameters = dict(started.model.named_parameters())
    for name in unread_tensors(parameters, objective, family=family):
        parameters[name].requires_grad = False


def _heads(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(name.split(".")[0] for name in names))
