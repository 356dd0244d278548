"""The shape of a run's model, before any weight is read; no torch here."""

from __future__ import annotations

from schemas.errors import SettingsError
from schemas.settings import parse_settings
from train.model.config import ModelConfig
from train.model.presets import PRESETS, resolve_model
from train.warm_start.config import StartRequest

# What a recipe may change of a loaded shape: no loaded tensor but the table depends on it.
_FREE = (
    "num_classes",
    "dropout",
    "init_std",
    "label_smoothing",
    "z_loss",
    "attend_across_documents",
    "vocab_size",
    "max_positions",
)


def new_shape(request: StartRequest, *, vocab_size: int, seq_len: int) -> ModelConfig:
    """The shape of new weights.

    Raises:
        SettingsError: The preset or a field is unknown, or does not fit the dataset.
    """
    fields = request.model
    if request.warm_start is not None:
        named = request.model if request.names_model else {}
        fields = {**named, "preset": request.warm_start.source}
    return resolve_model(fields, vocab_size=vocab_size, seq_len=seq_len)


def changed_shape(shape: ModelConfig, request: StartRequest, where: str) -> ModelConfig:
    """The shape of loaded weights, with what the recipe may change of it.

    Raises:
        SettingsError: The recipe's `model` block contradicts the weights, which lie at `where`.
    """
    if not request.names_model:
        return shape
    named = dict(request.model)
    preset = named.pop("preset", None)
    fields = shape.model_dump()
    wanted = {**PRESETS.get(preset, {}), **named}
    for name, value in wanted.items():
        loaded = fields.get(name, value)
        if name not in _FREE and value is not None and loaded != value:
            raise SettingsError(
                f"model.{name}: {value!r} in the recipe, {loaded!r} in {where}; leave it "
                "out to take the shape of the weights"
            )
    free = {name: value for name, value in named.items() if name in _FREE or name not in fields}
    if shape.positions == "learned":
        free.pop("max_positions", None)
    return parse_settings(ModelConfig, {**fields, **free}, where="model")
