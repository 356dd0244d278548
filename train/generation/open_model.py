"""Open what a user wants text from: a run, a checkpoint, or a Hugging Face folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import ContractError
from schemas.manifest import MANIFEST_NAME, read_manifest
from train.checkpoint.store import read_state
from train.model.transformer import Model, make_model
from train.warm_start.match import our_weights
from train.warm_start.source import Source, find_source, read_weights


@dataclass(frozen=True, kw_only=True)
class OpenModel:
    """A model that can write text.

    Attributes:
        model: The model in evaluation mode.
        tokenizer: Its tokenizer, a class of transformers.
        ends: Token ids that end a text.
        start_id: Token id that the decoder of an encoder-decoder begins with.
    """

    model: Model
    tokenizer: Any
    ends: frozenset[int]
    start_id: int


def open_model(path: Path, *, tokenizer: Path | None = None) -> OpenModel:
    """Load weights and tokenizer.

    Raises:
        ContractError: There is no model, its tensors do not fit, or the tokenizer has more ids than
            the model has rows.
    """
    from transformers import AutoTokenizer

    source = find_source(str(path))
    if source is None:
        raise ContractError(f"{path}: a preset has no weights to write with")
    state, fresh = our_weights(source, read_weights(source), seed=0)
    if fresh:
        raise ContractError(f"{path}: has no head to write with: {', '.join(fresh)} are missing")
    model = make_model(source.config)
    model.load_state_dict(state, assign=True)
    folder = tokenizer or _tokenizer_folder(source)
    loaded = AutoTokenizer.from_pretrained(folder)
    if len(loaded) > source.config.vocab_size:
        raise ContractError(
            f"{folder}: the tokenizer has {len(loaded):,} ids, the model of {source.path} "
            f"{source.config.vocab_size:,} rows"
        )
    described = _described(source)
    end = described.get("eos_token_id", loaded.eos_token_id)
    ends = end if isinstance(end, list) else [end]
    start = described.get("decoder_start_token_id")
    return OpenModel(
        model=model.eval(),
        tokenizer=loaded,
        ends=frozenset(one for one in ends if one is not None),
        start_id=loaded.pad_token_id or 0 if start is None else start,
    )


def _described(source: Source) -> dict[str, Any]:
    """Special token ids from the folder's config.json, or from the manifest that a checkpoint read."""
    if not source.is_checkpoint:
        if source.is_ours:
            return {}
        described: dict[str, Any] = json.loads((source.path / "config.json").read_text("utf-8"))
        return described
    path = Path(read_state(source.path)["manifest"]) / MANIFEST_NAME
    if not path.is_file():
        return {}
    special = read_manifest(path).tokenizer.special_ids
    return {"eos_token_id": special.eos, "decoder_start_token_id": special.pad}


def _tokenizer_folder(source: Source) -> Path:
    if not source.is_checkpoint:
        return source.path
    if source.tokenizer is not None:
        return source.tokenizer
    path = Path(read_state(source.path)["manifest"]) / MANIFEST_NAME
    if path.is_file():
        return path.parent / read_manifest(path).tokenizer.path
    raise ContractError(f"{source.path}: where its tokenizer lies is not known; give --tokenizer")
