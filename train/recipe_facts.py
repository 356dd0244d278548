"""Judge a whole recipe, every phase of it, before a process, a folder or a weight is touched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.errors import ContractError, SettingsError
from schemas.manifest import Manifest
from train.checkpoint.index import CheckpointDamageError
from train.checkpoint.pointer import CHECKPOINTS_NAME, latest_checkpoint
from train.checkpoint.state_file import read_state
from train.data.loader import shard_files
from train.data.remote import ShardFiles, local_tokenizer, open_manifest
from train.model.config import ModelConfig
from train.phases import split_phases
from train.refusals.facts import RunFacts
from train.refusals.refuse import recipe_faults, refusals
from train.settings import TrainSettings
from train.warm_start.shape import changed_shape, new_shape


@dataclass(frozen=True, kw_only=True)
class JudgedPhase:
    """One phase of a recipe that can run.

    Attributes:
        settings: The phase as a recipe of its own.
        facts: The model, the dataset and the world that it was judged by.
    """

    settings: TrainSettings
    facts: RunFacts


@dataclass(frozen=True, kw_only=True)
class DataSizes:
    """Sizes of a dataset that is not there yet; `train plan` takes them from the command line."""

    vocab_size: int
    seq_len: int


def ranks_of(settings: TrainSettings) -> int:
    """The smallest world that the recipe's degrees lay out."""
    if settings.asynchronous is not None:
        return settings.asynchronous.processes
    degrees = settings.parallel
    return degrees.dp_shard * degrees.tp * degrees.pp * (degrees.dp_replicate or 1)


def judge_recipe(
    settings: TrainSettings, world_size: int, *, sizes: DataSizes | None = None
) -> list[JudgedPhase]:
    """The phases of a recipe with the facts of each.

    Args:
        settings: The recipe.
        world_size: Number of ranks, or of servers and workers together.
        sizes: Stand in for the manifests, which are then not read.

    Raises:
        SettingsError: With every reason why the recipe cannot run.
        ContractError: A manifest or the weights to start from cannot be read or do not fit.
    """
    phases: list[JudgedPhase] = []
    faults = recipe_faults(settings)
    for number, phase in enumerate(split_phases(settings)):
        before = phases[-1].facts if phases else None
        try:
            facts = _facts(phase, world_size, before, sizes)
        except ContractError as error:
            if settings.phases is None or isinstance(error, CheckpointDamageError):
                raise
            raise ContractError(f"phases.{number}: {error}", entity=error.entity) from error
        phases.append(JudgedPhase(settings=phase, facts=facts))
        faults += refusals(phase, facts)
    if faults:
        raise SettingsError("\n  ".join(dict.fromkeys(faults)))
    return phases


def _facts(
    phase: TrainSettings, world_size: int, before: RunFacts | None, sizes: DataSizes | None
) -> RunFacts:
    request = phase.start_request
    files = manifest = None
    if sizes is None:
        files = shard_files(phase.manifest, phase.loader)
        manifest = open_manifest(files)
        sizes = DataSizes(vocab_size=manifest.tokenizer.vocab_size, seq_len=manifest.seq_len)
    loaded_classes = None
    if before is not None:
        loaded_classes = before.model.num_classes
        model = changed_shape(before.model, request, "the stage before")
        rows = max(model.vocab_size, sizes.vocab_size)
        model = model.model_copy(update={"vocab_size": rows})
    elif request.loads_weights:
        model, loaded_classes = _loaded_shape(phase, manifest, files)
    else:
        model = new_shape(request, vocab_size=sizes.vocab_size, seq_len=sizes.seq_len)
    return RunFacts(
        model=model,
        world_size=world_size,
        manifest=manifest,
        has_weights=before is not None or request.loads_weights,
        loaded_classes=loaded_classes,
    )


def _loaded_shape(
    phase: TrainSettings, manifest: Manifest | None, files: ShardFiles | None
) -> tuple[ModelConfig, int | None]:
    """The shape of the run, and the classes of the weights that it starts or resumes from."""
    from train.warm_start.source import find_source  # torch starts only where weights are read
    from train.warm_start.start import Resumed, choose_start

    request = phase.start_request
    assert request.warm_start is not None
    if manifest is None or files is None:
        source = find_source(request.warm_start.source)
        assert source is not None  # a preset loads nothing
        return changed_shape(source.config, request, str(source.path)), source.config.num_classes
    path = latest_checkpoint(Path(phase.output) / CHECKPOINTS_NAME)
    try:
        resumed = None if path is None else Resumed.of(read_state(path)["identity"])
    except CheckpointDamageError:
        resumed = None  # the run itself tells of it, or goes back to an older one
    start = choose_start(
        request, manifest, tokenizer=lambda: local_tokenizer(files), resumed=resumed
    )
    loaded = start.config if start.source is None else start.source.config
    return start.config, loaded.num_classes
