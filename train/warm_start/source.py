"""What a user may start from: a Hugging Face folder, a run, one of its checkpoints, a preset."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata

from schemas.errors import ContractError, SettingsError
from schemas.settings import nearest, parse_settings
from train.checkpoint.pointer import STATE_NAME, find_checkpoint
from train.checkpoint.store import load_tensors, read_state
from train.exchange.describe import read_shape
from train.model.config import ModelConfig
from train.model.presets import PRESETS
from train.vocabulary.trainable import merge_rows

State = dict[str, Tensor]
EXPORT, WEIGHTS, INDEX = "export", "model.safetensors", "model.safetensors.index.json"
EVALUATION = "evaluation.json"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Weights that exist.

    Attributes:
        path: Folder of the weights: a checkpoint of ours, or a Hugging Face folder.
        config: Shape.
        is_ours: Whether it is a checkpoint of ours, with our names.
        tokenizer: Folder of the tokenizer that it was trained with, where it is known.
        tokenizer_sha256: Of that tokenizer, where a checkpoint of ours names it.
        heldout_loss: Nats per label at the end of its run, where that was measured.
    """

    path: Path
    config: ModelConfig
    is_ours: bool
    tokenizer: Path | None = None
    tokenizer_sha256: str | None = None
    heldout_loss: float | None = None


def find_source(name: str) -> Source | None:
    """What `name` means; None for a preset, of which nothing is loaded.

    Raises:
        SettingsError: Neither a folder nor a preset.
        ContractError: A folder that holds no model, or one that we cannot reproduce.
    """
    path = Path(name)
    if not path.is_dir():
        if name in PRESETS:
            return None
        raise SettingsError(
            f"warm_start: {name} is neither a folder nor a preset{nearest(name, set(PRESETS))}"
        )
    if (path / "config.json").is_file():
        return _folder(path)
    try:
        return _checkpoint(find_checkpoint(path))
    except ContractError as error:
        if (path / EXPORT / "config.json").is_file():
            return _folder(path / EXPORT)
        raise ContractError(
            f"{path}: no config.json of a Hugging Face folder, and no checkpoint ({error})"
        ) from error


def _folder(path: Path) -> Source:
    has_tokenizer = (path / "tokenizer.json").is_file()
    return Source(
        path=path,
        config=read_shape(path),
        is_ours=False,
        tokenizer=path if has_tokenizer else None,
        heldout_loss=_heldout_loss(path.parent) if path.name == EXPORT else None,
    )


def _checkpoint(path: Path) -> Source:
    state = read_state(path)
    identity = state["identity"]
    run = path.parent.parent
    tokenizer = run / EXPORT
    return Source(
        path=path,
        config=parse_settings(ModelConfig, identity["model"], where=f"{path / STATE_NAME}"),
        is_ours=True,
        tokenizer=tokenizer if (tokenizer / "tokenizer.json").is_file() else None,
        tokenizer_sha256=identity["tokenizer_sha256"],
        heldout_loss=_heldout_loss(run),
    )


def _heldout_loss(run: Path) -> float | None:
    try:
        result: Any = json.loads((run / EVALUATION).read_text(encoding="utf-8"))
        return float(result["heldout"]["loss"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_weights(source: Source) -> State:
    """All tensors of a source: under our names for a checkpoint, else under those of the folder.

    Raises:
        ContractError: The files are missing or damaged.
    """
    return _read_checkpoint(source.path) if source.is_ours else _read_folder(source.path)


def _read_checkpoint(path: Path) -> State:
    try:
        entries = FileSystemReader(path / "weights").read_metadata().state_dict_metadata
    except (CheckpointException, OSError, RuntimeError, ValueError, EOFError) as error:
        raise ContractError(f"{path}: weights cannot be read: {error}") from error
    tensors = {
        name.removeprefix("model."): torch.empty(entry.size, dtype=entry.properties.dtype)
        for name, entry in entries.items()
        if name.startswith("model.") and isinstance(entry, TensorStorageMetadata)
    }
    # Each rank reads for itself: the whole model is needed before it is laid out.
    load_tensors(path, {"model": tensors}, world_size=1)
    return merge_rows(tensors)


def _read_folder(folder: Path) -> State:
    names = [WEIGHTS]
    index = folder / INDEX
    if index.is_file():
        described = json.loads(index.read_text(encoding="utf-8"))
        names = sorted(set(described["weight_map"].values()))
    elif not (folder / WEIGHTS).is_file():
        raise ContractError(
            f"{folder}: has a config.json but neither {WEIGHTS} nor {INDEX}; pickles are not read"
        )
    state: State = {}
    for name in names:
        try:
            with safe_open(folder / name, framework="pt") as file:
                state |= {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise ContractError(f"{folder / name}: not readable: {error}") from error
    return state
