"""Where a run begins: new weights of a preset, or loaded ones, grown where the tokenizer was.

The choice of the shape and the loading are apart: objective and settings are judged in between,
before any weight is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import ContractError, SettingsError
from schemas.manifest import Manifest
from schemas.settings import parse_settings
from schemas.vocabulary import VOCABULARY_FILE, ExtendedVocabulary
from train.model.config import ModelConfig
from train.model.presets import PRESETS
from train.model.transformer import Model, build_model, make_model
from train.plugins import refuse_untrusted
from train.vocabulary.extension import read_extension
from train.vocabulary.trainable import train_rows_only
from train.warm_start.config import StartRequest, WarmStartConfig
from train.warm_start.growth import Growth, grow_vocabulary
from train.warm_start.match import our_weights
from train.warm_start.shape import changed_shape, new_shape
from train.warm_start.source import Source, find_source, read_weights
from train.warm_start.tokenizers import vocabulary_grows


@dataclass(frozen=True, kw_only=True)
class Start:
    """The shape of a run's model, and the weights that will fill it.

    Attributes:
        config: Shape of the run's model.
        source: Where the weights come from; None for new ones, or where a checkpoint fills them.
        extension: New tokens of the manifest's tokenizer; None where that tokenizer extends no other.
        grows: Whether the source lacks the rows of the new tokens.
        new_rows: First id that the base does not know, and one past the last; None where all are known.
    """

    config: ModelConfig
    source: Source | None = None
    extension: ExtendedVocabulary | None = None
    grows: bool = False
    new_rows: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class StartedModel:
    """A model that has its first weights.

    Attributes:
        model: The model; only its new rows are trainable where the recipe says so.
        growth: What was done to rows of new tokens; None where the vocabulary did not grow.
        loaded: Number of tensors, and of parameters, that came from the source.
        fresh: Names of the tensors that the source lacks, as ours are called.
    """

    model: Model
    growth: Growth | None = None
    loaded: tuple[int, int] = (0, 0)
    fresh: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """What the checkpoint that a run resumes from says of its model."""

    model: dict[str, Any]
    new_rows: tuple[int, int] | None = None

    @classmethod
    def of(cls, identity: dict[str, Any]) -> Resumed:
        """Read it from the identity in a checkpoint's state."""
        rows = identity.get("new_rows")
        return cls(model=identity["model"], new_rows=None if rows is None else (rows[0], rows[1]))


def choose_start(
    request: StartRequest,
    manifest: Manifest,
    *,
    tokenizer: Callable[[], Path] | None = None,
    resumed: Resumed | None = None,
) -> Start:
    """Decide the shape of a run.

    Args:
        request: The recipe's settings of the start.
        manifest: The dataset that the run reads.
        tokenizer: Returns the folder of the manifest's tokenizer; it is called for warm starts only.
        resumed: What the checkpoint says that the run resumes from; the source is then not needed.

    Raises:
        SettingsError: The recipe contradicts the source.
        ContractError: The source is no model, or its tokenizer and the manifest's do not agree.
    """
    warm = request.warm_start
    if warm is None or (resumed is None and warm.source in PRESETS):
        if request.trainable != "all":
            raise SettingsError(
                f"trainable: {request.trainable} needs weights that exist; give warm_start.source"
            )
        return Start(
            config=new_shape(
                request, vocab_size=manifest.tokenizer.vocab_size, seq_len=manifest.seq_len
            )
        )
    if resumed is not None:
        shape = parse_settings(ModelConfig, resumed.model, where="checkpoint")
        if shape.plugin is not None and shape.plugin != request.model.get("plugin"):
            refuse_untrusted(shape.plugin, where="checkpoint")
        return Start(config=changed_shape(shape, request, "checkpoint"), new_rows=resumed.new_rows)
    source = find_source(warm.source)
    assert source is not None  # presets are handled above
    folder = tokenizer() if tokenizer is not None else None
    extension = _extension(warm, folder)
    grows = vocabulary_grows(source, manifest, folder, extension)
    rows = max(source.config.vocab_size, manifest.tokenizer.vocab_size)
    config = changed_shape(source.config, request, str(source.path))
    config = config.model_copy(update={"vocab_size": max(rows, config.vocab_size)})
    if config.vocab_size > source.config.vocab_size and not grows:
        raise SettingsError(
            f"model.vocab_size: {config.vocab_size:,} rows, {source.path} has "
            f"{source.config.vocab_size:,} and the tokenizer extends no other; leave it out"
        )
    _check_positions(config, manifest, source)
    new_rows = (extension.base.size, extension.size) if extension is not None else None
    if request.trainable == "new_embeddings" and new_rows is None:
        raise SettingsError(
            f"trainable: new_embeddings, but no row is new: the manifest's tokenizer has no "
            f"{VOCABULARY_FILE} that says which base it extends"
        )
    return Start(config=config, source=source, extension=extension, grows=grows, new_rows=new_rows)


def start_model(start: Start, request: StartRequest) -> StartedModel:
    """Build the model and fill it.

    Raises:
        ContractError: The source's tensors do not fit its shape.
    """
    started = _filled(start, request)
    if request.trainable == "new_embeddings":
        assert start.new_rows is not None  # choose_start refuses it otherwise
        train_rows_only(started.model, *start.new_rows)
    return started


def _filled(start: Start, request: StartRequest) -> StartedModel:
    source = start.source
    if source is None:
        return StartedModel(model=build_model(start.config, seed=request.seed))
    shape = start.config.model_copy(update={"vocab_size": source.config.vocab_size})
    state, fresh = our_weights(source, read_weights(source), seed=request.seed, shape=shape)
    loaded = len(state) - len(fresh), sum(v.numel() for n, v in state.items() if n not in fresh)
    growth = None
    if start.grows:
        assert start.extension is not None
        assert request.warm_start is not None
        growth = grow_vocabulary(
            state,
            start.extension,
            rows=start.config.vocab_size,
            rule=request.warm_start.new_rows,
            seed=request.seed,
        )
        state = growth.state
    model = make_model(start.config)
    model.load_state_dict(state, assign=True)
    model.requires_grad_(requires_grad=True)
    return StartedModel(model=model, growth=growth, loaded=loaded, fresh=tuple(fresh))


def _extension(warm: WarmStartConfig, folder: Path | None) -> ExtendedVocabulary | None:
    if warm.vocabulary is None:
        return read_extension(folder) if folder is not None else None
    extension = read_extension(Path(warm.vocabulary))
    if extension is None:
        raise ContractError(f"warm_start.vocabulary: {warm.vocabulary} has no {VOCABULARY_FILE}")
    return extension


def _check_positions(config: ModelConfig, manifest: Manifest, source: Source) -> None:
    if config.max_positions >= manifest.seq_len:
        return
    longer = (
        ""
        if config.positions == "learned"
        else (
            f", or set model.max_positions: {manifest.seq_len} to go beyond what they were trained on"
        )
    )
    raise ContractError(
        f"{source.path}: {config.max_positions} positions ({config.positions}), rows have "
        f"{manifest.seq_len} tokens; pack shorter rows{longer}"
    )
