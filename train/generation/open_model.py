"""Open what a user wants text or scores from: a run, a checkpoint, or a Hugging Face folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import ContractError
from schemas.manifest import MANIFEST_NAME, Manifest, read_manifest
from train.checkpoint.state_file import read_state
from train.exchange.tokenizer import open_tokenizer
from train.model.transformer import Model, make_model
from train.warm_start.match import our_weights
from train.warm_start.source import Source, find_source, read_weights


@dataclass(frozen=True, kw_only=True)
class OpenWeights:
    """A model with the weights of a source.

    Attributes:
        source: Where the weights come from.
        model: The model in evaluation mode.
        fresh: Tensors that the source lacks; they have random values.
        state: What a checkpoint of ours says of its run; None for a Hugging Face folder.
    """

    source: Source
    model: Model
    fresh: tuple[str, ...]
    state: dict[str, Any] | None

    @property
    def manifest(self) -> Manifest | None:
        """The manifest that the run read, where it lies on this machine."""
        if self.state is None:
            return None
        path = Path(self.state["manifest"]) / MANIFEST_NAME
        return read_manifest(path) if path.is_file() else None

    def require(self, heads: tuple[str, ...] | None = None) -> None:
        """Refuse weights that lack a head.

        Args:
            heads: Beginnings of the names that are needed; None: all.

        Raises:
            ContractError: A needed head is missing.
        """
        lacking = [name for name in self.fresh if heads is None or name.startswith(heads)]
        if lacking:
            raise ContractError(
                f"{self.source.path}: has no head to write with: {', '.join(lacking)} are missing"
            )


@dataclass(frozen=True, kw_only=True)
class OpenModel:
    """A model that can write text.

    Attributes:
        model: The model in evaluation mode.
        tokenizer: Its tokenizer, a class of transformers.
        ends: Token ids that end a text.
        start_id: Token id that the decoder of an encoder-decoder begins with.
        before: Token ids that stand before every text: those that its tokenizer puts there, as
            LLaMA's does. Training rows of ours have none.
    """

    model: Model
    tokenizer: Any
    ends: frozenset[int]
    start_id: int
    before: tuple[int, ...] = ()


def open_weights(path: Path) -> OpenWeights:
    """Load weights.

    Raises:
        ContractError: There is no model, or its tensors do not fit.
    """
    source = find_source(str(path))
    if source is None:
        raise ContractError(f"{path}: a preset has no weights")
    weights, fresh = our_weights(source, read_weights(source), seed=0)
    model = make_model(source.config)
    model.load_state_dict(weights, assign=True)
    return OpenWeights(
        source=source,
        model=model.eval(),
        fresh=tuple(fresh),
        state=read_state(source.path) if source.is_checkpoint else None,
    )


def open_model(path: Path, *, tokenizer: Path | None = None) -> OpenModel:
    """Load weights and tokenizer, to write with.

    Raises:
        ContractError: There is no model, its tensors do not fit, a head is missing, or the tokenizer has
            more ids than the model has rows.
    """
    weights = open_weights(path)
    weights.require()
    return with_tokenizer(weights, tokenizer)


def with_tokenizer(weights: OpenWeights, tokenizer: Path | None = None) -> OpenModel:
    """Add the tokenizer: that of the folder, or of the data that a run read.

    Raises:
        ContractError: It is not found, or has more ids than the model has rows.
    """
    source = weights.source
    folder = tokenizer or tokenizer_folder(weights)
    if not folder.is_dir():
        raise ContractError(f"{folder}: no such folder of a tokenizer; give --tokenizer")
    loaded = open_tokenizer(folder)
    if len(loaded) > source.config.vocab_size:
        raise ContractError(
            f"{folder}: the tokenizer has {len(loaded):,} ids, the model of {source.path} "
            f"{source.config.vocab_size:,} rows"
        )
    described = _described(weights)
    end = described.get("eos_token_id", loaded.eos_token_id)
    ends = end if isinstance(end, list) else [end]
    start = described.get("decoder_start_token_id")
    is_decoder = source.config.family not in ("t5", "bert")
    return OpenModel(
        model=weights.model,
        tokenizer=loaded,
        ends=frozenset(one for one in ends if one is not None),
        start_id=loaded.pad_token_id or 0 if start is None else start,
        before=_before(loaded) if is_decoder and weights.state is None else (),
    )


def _before(tokenizer: Any) -> tuple[int, ...]:
    """The ids that a tokenizer puts before a text by itself."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    for count in range(len(whole) - len(plain) + 1):
        if whole[count : count + len(plain)] == plain:
            return tuple(whole[:count])
    return ()


def _described(weights: OpenWeights) -> dict[str, Any]:
    """Special token ids from the folder's config.json, or from the manifest that a checkpoint read."""
    source = weights.source
    if not source.is_checkpoint:
        if source.is_ours:
            return {}
        described: dict[str, Any] = json.loads((source.path / "config.json").read_text("utf-8"))
        return described
    manifest = weights.manifest
    if manifest is None:
        return {}
    special = manifest.tokenizer.special_ids
    return {"eos_token_id": special.eos, "decoder_start_token_id": special.pad}


def tokenizer_folder(weights: OpenWeights) -> Path:
    """The folder of the tokenizer that weights were trained with.

    Raises:
        ContractError: Where it lies is not known.
    """
    source, state = weights.source, weights.state
    if state is None:
        return source.path
    if source.tokenizer is not None:
        return source.tokenizer
    manifest = weights.manifest
    if manifest is not None:
        return Path(state["manifest"]) / manifest.tokenizer.path
    raise ContractError(f"{source.path}: where its tokenizer lies is not known; give --tokenizer")
