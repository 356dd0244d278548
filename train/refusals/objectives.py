"""Objectives that a model, a tokenizer or rows do not serve."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.errors import SettingsError
from train.objectives.config import ClassifyConfig, PluginConfig, parse_objective
from train.objectives.requirements import ObjectiveContext, family_faults, objective_faults
from train.refusals.facts import RunFacts
from train.settings import TrainSettings


def run_objective_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    model = facts.model
    try:
        objective = parse_objective(settings.objective)
    except SettingsError as error:
        yield str(error)
        return
    if facts.manifest is None:
        yield from family_faults(objective, model.family)
    else:
        context = ObjectiveContext.of(
            facts.manifest,
            family=model.family,
            vocab_size=model.vocab_size,
            max_positions=model.max_positions if model.positions == "learned" else None,
        )
        yield from objective_faults(objective, context)
    if model.family == "bert" and not isinstance(objective, PluginConfig):
        yield from _class_faults(settings, facts, is_read=isinstance(objective, ClassifyConfig))


def _class_faults(settings: TrainSettings, facts: RunFacts, *, is_read: bool) -> Iterator[str]:
    """A head for classes that is not there, or that would stay as it was drawn."""
    classes, is_new = facts.model.num_classes, facts.model.num_classes != facts.loaded_classes
    if is_read and classes is None:
        yield (
            "objective.name: 'classify' needs a head for classes, and model.num_classes is null; set "
            "model.num_classes to their number"
        )
    elif is_read and is_new and settings.trainable == "new_embeddings":
        yield (
            "trainable: new_embeddings trains rows of tokens alone, and objective.name: classify would "
            f"read a head for {classes} classes that is drawn and never trained; set trainable: all, "
            "or begin from weights with this head"
        )
    elif not is_read and is_new and classes is not None:
        yield (
            f"model.num_classes {classes}: objective.name: {settings.objective.get('name', 'causal')} "
            "never trains a head for classes; leave it out, or set objective.name: classify"
        )
