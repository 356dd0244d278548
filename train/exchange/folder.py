"""Write and read folders that transformers loads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from schemas.errors import ContractError
from schemas.manifest import SpecialIds
from train.exchange.configuration import hugging_face_config
from train.exchange.names import (
    State,
    from_hugging_face,
    to_hugging_face,
    unexpected_names,
)
from train.model.config import ModelConfig
from train.model.transformer import Model, build_model

WEIGHTS = "model.safetensors"


def export_folder(
    folder: Path, state: State, config: ModelConfig, special: SpecialIds, tokenizer: Path | None
) -> None:
    """Write weights, configuration and tokenizer.

    Args:
        folder: Made if it is not there.
        state: Whole tensors under our names.
        config: Shape.
        special: Control ids, for generation.
        tokenizer: Folder whose files are copied beside the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu() for name, value in to_hugging_face(state, config).items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    ids = {"bos_token_id": special.bos, "eos_token_id": special.eos, "pad_token_id": special.pad}
    if config.family == "t5":
        ids["decoder_start_token_id"] = special.pad  # what the objective starts targets with
    described = {**hugging_face_config(config), **ids}
    text = json.dumps(described, indent=2, sort_keys=True) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")
    generation = json.dumps({k: v for k, v in ids.items() if v is not None}, indent=2) + "\n"
    (folder / "generation_config.json").write_text(generation, encoding="utf-8")
    if tokenizer is not None:
        for path in tokenizer.iterdir():
            shutil.copyfile(path, folder / path.name)


def load_folder(folder: Path, config: ModelConfig) -> Model:
    """A model with the weights of a Hugging Face folder.

    Raises:
        ContractError: No readable weights, or tensors that are missing, unexpected or misshapen.
    """
    try:
        state = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ContractError(f"{folder / WEIGHTS}: not readable: {error}") from error
    ours = from_hugging_face(state, config)
    unexpected = unexpected_names(state, ours, config)
    if unexpected:
        raise ContractError(
            f"{folder}: {len(unexpected)} tensors have no place in a {config.family}, the first is "
            f"{unexpected[0]}"
        )
    model = build_model(config, seed=0)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in ours.items()}
    if expected != found:
        differing = sorted(
            n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n)
        )
        first = differing[0]
        raise ContractError(
            f"{folder}: {len(differing)} tensors differ, the first is {first}: "
            f"found {found.get(first)}, expected {expected.get(first)}"
        )
    model.load_state_dict(ours)
    return model
