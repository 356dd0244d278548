"""Write and read folders that transformers loads."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import torch

from schemas.errors import ContractError, SettingsError
from schemas.manifest import SpecialIds
from schemas.plain_json import json_text
from train.exchange.configuration import hugging_face_config
from train.exchange.names import (
    State,
    from_hugging_face,
    to_hugging_face,
    unexpected_names,
    with_current_names,
)
from train.exchange.plain_names import plain_names
from train.exchange.weights import SHARD_BYTES, WEIGHTS, read_weights, write_weights
from train.model.config import ModelConfig
from train.model.transformer import Model, build_model, make_model

__all__ = ["WEIGHTS", "export_folder", "load_folder"]

logger = logging.getLogger(__name__)

OWN_SHAPE = "shape.json"
# What lies beside a tokenizer where its folder is that of a model.
_OF_MODELS = (".safetensors", ".bin", ".pt", ".gguf")
_OF_MODEL = ("config.json", "generation_config.json", "model.safetensors.index.json", OWN_SHAPE)
# Heads of bert that checkpoints of the bare encoder lack; they begin as in a new model.
_HEADS = ("pooler.", "pair_head.", "transform.", "transform_norm.", "head_bias", "class_head.")


def export_folder(
    folder: Path,
    state: State,
    config: ModelConfig,
    special: SpecialIds,
    tokenizer: Path | None,
    *,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write weights, configuration and tokenizer.

    A shape that transformers cannot express is written under our own names, with `shape.json`
    instead of config.json, and a warning says what transformers lacks.

    Raises:
        ContractError: The folder of the tokenizer is not there.

    Args:
        folder: Folder to write; made if it is not there.
        state: Unsharded tensors under our names.
        config: Shape of the model.
        special: Special token ids, which generation needs.
        tokenizer: Folder whose files are copied beside the weights.
        shard_bytes: Largest size of a file of weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if tokenizer is not None:
        if not tokenizer.is_dir():
            raise ContractError(f"{tokenizer}: the folder of the tokenizer is not there")
        _copy_tokenizer(tokenizer, folder)
    try:
        described = hugging_face_config(config)
    except SettingsError as error:
        logger.warning("%s: written under our own names: %s", folder, error)
        whole = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        write_weights(folder, whole, shard_bytes=shard_bytes)
        (folder / OWN_SHAPE).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return
    tensors = {name: value.detach().cpu() for name, value in to_hugging_face(state, config).items()}
    write_weights(folder, tensors, shard_bytes=shard_bytes)
    ids = {"bos_token_id": special.bos, "eos_token_id": special.eos, "pad_token_id": special.pad}
    if config.family == "t5":
        ids["decoder_start_token_id"] = special.pad  # what the objective starts targets with
    described["torch_dtype"] = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    text = json_text(dict(sorted({**described, **ids}.items())), indent=2) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")
    generation = json_text({k: v for k, v in ids.items() if v is not None}, indent=2) + "\n"
    (folder / "generation_config.json").write_text(generation, encoding="utf-8")


def _copy_tokenizer(tokenizer: Path, folder: Path) -> None:
    """Copy the files of a tokenizer, those in folders below too; never weights that lie beside them."""
    for path in sorted(tokenizer.rglob("*")):
        relative = path.relative_to(tokenizer)
        is_of_model = path.suffix in _OF_MODELS or path.name in _OF_MODEL
        if path.is_file() and not is_of_model:
            (folder / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / relative)


def load_folder(folder: Path, config: ModelConfig) -> Model:
    """A model with the weights of a Hugging Face folder.

    Heads of a bert that the folder lacks begin as in a new model, with a warning.

    Raises:
        ContractError: The weights cannot be read, or a tensor is missing, unexpected or misshapen.
    """
    state = with_current_names(_with_prefix(read_weights(folder), config), config)
    model = build_model(config, seed=0)
    begun = _missing_heads(state, model.state_dict(), config)
    if begun:
        logger.warning("%s: without %s; they begin anew", folder, ", ".join(begun))
    ours = from_hugging_face(state | begun, config)
    unexpected = unexpected_names(state, ours, config)
    if unexpected:
        raise ContractError(
            f"{folder}: {len(unexpected)} tensors do not belong to a {config.family}, the first is "
            f"{unexpected[0]}"
        )
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    shapes = {name: tuple(value.shape) for name, value in ours.items()}
    if expected != shapes:
        differing = sorted(
            n for n in expected.keys() | shapes.keys() if expected.get(n) != shapes.get(n)
        )
        first = differing[0]
        raise ContractError(
            f"{folder}: {len(differing)} tensors differ, the first is {first}: "
            f"found {shapes.get(first)}, expected {expected.get(first)}"
        )
    model.load_state_dict(ours)
    return model


def _with_prefix(state: State, config: ModelConfig) -> State:
    """The tensors with the first part of their names, which checkpoints of a bare model lack."""
    with torch.device("meta"):
        expected = to_hugging_face(dict(make_model(config).state_dict()), config)
    firsts = sorted({name.partition(".")[0] for name in expected})
    if any(name.startswith(tuple(f"{first}." for first in firsts)) for name in state):
        return state
    full = {name.partition(".")[2]: name for name in expected}
    return {full.get(name, name): value for name, value in state.items()}


def _missing_heads(state: State, fresh: State, config: ModelConfig) -> State:
    if config.family != "bert":
        return {}
    return {
        theirs: fresh[ours]
        for ours, theirs in plain_names(config).items()
        if ours.startswith(_HEADS) and theirs not in state
    }
