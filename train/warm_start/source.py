"""What a user may start from: a Hugging Face folder, a run, one of its checkpoints, a preset."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from schemas.errors import ContractError, SettingsError
from schemas.settings import nearest, parse_settings
from train.aliases import with_current_model_keys
from train.checkpoint.index import WEIGHTS_NAME, CheckpointDamageError, read_index
from train.checkpoint.pointer import STATE_NAME, find_checkpoint
from train.checkpoint.state_file import index_sha256, read_state
from train.checkpoint.storage import dtype_of
from train.checkpoint.store import load_tensors
from train.exchange.describe import read_shape
from train.exchange.folder import OWN_SHAPE
from train.exchange.weights import read_weights as read_folder
from train.model.config import ModelConfig
from train.model.presets import PRESETS
from train.plugins import refuse_untrusted
from train.vocabulary.trainable import merge_rows

State = dict[str, Tensor]
EXPORT, EVALUATION = "export", "evaluation.json"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Weights that a run may start from.

    Attributes:
        path: Folder of the weights: a checkpoint of ours, or a Hugging Face folder.
        config: Shape of the model.
        is_ours: Whether its tensors have our names.
        tokenizer: Folder of the tokenizer that it was trained with, where it is known.
        tokenizer_sha256: SHA-256 of that tokenizer, where a checkpoint of ours names it.
        heldout_loss: Held-out loss in nats per label at the end of its run; None if not measured.
    """

    path: Path
    config: ModelConfig
    is_ours: bool
    tokenizer: Path | None = None
    tokenizer_sha256: str | None = None
    heldout_loss: float | None = None

    @property
    def is_checkpoint(self) -> bool:
        """Whether it is a checkpoint of ours, not a folder of weights."""
        return (self.path / STATE_NAME).is_file()


def find_source(name: str) -> Source | None:
    """Find the weights that `name` means; None for a preset, of which nothing is loaded.

    Raises:
        SettingsError: Neither a folder nor a preset.
        ContractError: A folder that holds no model, one that we cannot reproduce, or one whose model is
            a plug-in that is not trusted.
    """
    source = _find(name)
    if source is not None and source.config.plugin is not None:
        refuse_untrusted(source.config.plugin, where=str(source.path))
    return source


def _find(name: str) -> Source | None:
    path = Path(name)
    if not path.is_dir():
        if name in PRESETS:
            return None
        raise SettingsError(
            f"warm_start: {name} is neither a folder nor a preset{nearest(name, set(PRESETS))}"
        )
    if _has_shape(path):
        return _folder(path)
    try:
        return _checkpoint(find_checkpoint(path))
    except CheckpointDamageError:
        raise
    except ContractError as error:
        if _has_shape(path / EXPORT):
            return _folder(path / EXPORT)
        raise ContractError(
            f"{path}: no config.json of a Hugging Face folder, and no checkpoint ({error})"
        ) from error


def _has_shape(path: Path) -> bool:
    return (path / "config.json").is_file() or (path / OWN_SHAPE).is_file()


def _folder(path: Path) -> Source:
    has_tokenizer = (path / "tokenizer.json").is_file()
    own = path / OWN_SHAPE
    config = _own_shape(own) if own.is_file() else read_shape(path)
    return Source(
        path=path,
        config=config,
        is_ours=own.is_file(),
        tokenizer=path if has_tokenizer else None,
        heldout_loss=_heldout_loss(path.parent) if path.name == EXPORT else None,
    )


def _own_shape(path: Path) -> ModelConfig:
    fields = json.loads(path.read_text(encoding="utf-8"))
    return parse_settings(ModelConfig, with_current_model_keys(fields), where=str(path))


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
    """Read all tensors of a source, under our names for a checkpoint, else under the folder's.

    Raises:
        ContractError: The files are missing or damaged.
    """
    return _read_checkpoint(source.path) if source.is_checkpoint else read_folder(source.path)


def _read_checkpoint(path: Path) -> State:
    index = read_index(path / WEIGHTS_NAME, sha256=index_sha256(path))
    tensors = {
        name.removeprefix("model."): torch.empty(stored.size, dtype=dtype_of(stored))
        for name, stored in index.tensors.items()
        if name.startswith("model.")
    }
    # Each rank reads for itself: the whole model is needed before it is laid out.
    load_tensors(path, {"model": tensors}, world_size=1)
    return merge_rows(tensors)
