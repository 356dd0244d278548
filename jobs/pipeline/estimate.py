"""What a recipe will cost on all of its input, from running it on a small part of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.recipe import Recipe
from refinery.sources.listing import InputFile, list_files
from schemas.errors import SettingsError
from schemas.manifest import Manifest

# Their training is bounded by the recipe (documents or bytes), whatever the input's size.
BOUNDED_STAGES = ("quality", "vocabulary")
# A shuffle partition should fit into a task's memory several times; Spark's tuning guide says 128 MB.
PARTITION_BYTES = 128 << 20


@dataclass(frozen=True)
class Sample:
    """The files that the estimate runs on, and bytes by source of the whole and of the sample."""

    files: tuple[InputFile, ...]
    bytes_by_source: dict[str, int]
    sampled_by_source: dict[str, int]

    @property
    def factor(self) -> float:
        """Bytes of the whole input over bytes of the sample."""
        return sum(self.bytes_by_source.values()) / max(1, sum(self.sampled_by_source.values()))


@dataclass(frozen=True)
class StageEstimate:
    """What one stage would take for all of the input.

    Attributes:
        rows: Rows by table that it would publish.
        core_seconds: Time of its tasks, which more cores share.
        fixed_seconds: Time of the driver alone, which more cores do not shorten.
    """

    stage: str
    rows: dict[str, int]
    written_bytes: int
    shuffle_bytes: int
    core_seconds: float
    fixed_seconds: float


@dataclass(frozen=True)
class DatasetEstimate:
    """The dataset that all of the input would give; `rows` are packed rows of both splits."""

    documents: int
    tokens: int
    rows: int
    shards: int
    bytes: int


def choose_sample(recipe: Recipe, sample_bytes: int) -> Sample:
    """The same share of every source's files, in the order of a hash of their names.

    Every source gives at least one file; names are hashed with the seed, so a folder sorted by
    time or size gives no one-sided sample.
    """
    listed = {source.name: list_files(source) for source in recipe.sources}
    sizes = {name: sum(file.size for file in files) for name, files in listed.items()}
    share = min(1.0, sample_bytes / max(1, sum(sizes.values())))
    chosen: list[InputFile] = []
    for name, files in listed.items():
        files.sort(key=lambda file: _order(recipe.seed, file))
        taken = 0
        for file in files:
            if taken and taken + file.size > share * sizes[name]:
                break
            chosen.append(file)
            taken += file.size
    sampled = {name: sum(file.size for file in chosen if file.source == name) for name in listed}
    return Sample(tuple(chosen), sizes, sampled)


def _order(seed: int, file: InputFile) -> str:
    return hashlib.sha256(f"{seed}\0{file.source}\0{file.name}".encode()).hexdigest()


def sample_recipe(recipe: Recipe, sample: Sample, folder: Path) -> Recipe:
    """Copy the sampled files below `folder`; the recipe over them, with its gates open.

    A budget of tokens shrinks with the input, so that epochs stay as planned.
    """
    for file in sample.files:
        system, path = storage.file_system(file.uri)
        target = folder / file.source / file.name
        if not target.resolve().is_relative_to(folder.resolve()):
            raise SettingsError(f"{file.uri}: its name leaves the source's folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        system.get_file(path, str(target))
    sources = tuple(
        source.model_copy(update={"uri": str(folder / source.name), "pattern": "**"})
        for source in recipe.sources
    )
    changed: dict[str, object] = {"sources": sources}
    changed["dedup"] = recipe.dedup.model_copy(update={"max_source_loss": None})
    if recipe.decontaminate is not None:
        changed["decontaminate"] = recipe.decontaminate.model_copy(
            update={"max_removal_fraction": 1.0}
        )
    if recipe.mixture.budget_tokens is not None:
        budget = max(1, round(recipe.mixture.budget_tokens / sample.factor))
        changed["mixture"] = recipe.mixture.model_copy(update={"budget_tokens": budget})
    return recipe.model_copy(update=changed)


def training_growth(
    recipe: Recipe, records: Mapping[str, StageRecord], manifest: Manifest, factor: float
) -> dict[str, float]:
    """How much more a bounded stage trains on with all of the input: up to what the recipe allows."""
    growth = dict.fromkeys(BOUNDED_STAGES, 1.0)
    if recipe.trained_heads and "quality" in records:
        used = sum(records["quality"].counts[f"{head}_examples"] for head in recipe.trained_heads)
        most = sum(2 * config.max_documents for config in recipe.trained_heads.values())
        growth["quality"] = min(factor, max(1.0, most / max(1, used)))
    text_bytes = sum(source.text_bytes for source in manifest.train.sources.values())
    most_bytes = recipe.vocabulary.train_bytes
    growth["vocabulary"] = min(factor, max(1.0, most_bytes / max(1, text_bytes)))
    return growth


def scale(
    records: Mapping[str, StageRecord],
    factor: float,
    cores: int,
    growth: Mapping[str, float] | None = None,
) -> list[StageEstimate]:
    """Estimates by stage from the records of a sample's run.

    Args:
        records: The sample's records by stage; each holds its cost.
        factor: Size of the whole input, as a multiple of the sample's.
        cores: Cores that the sample ran on; time in which tasks used none of them is fixed.
        growth: How much more a bounded stage trains on, by its name; 1 for a name that is missing.
    """
    estimates = []
    for name, record in records.items():
        cost = record.cost
        if cost is None:
            raise SettingsError(f"stage '{name}': its record holds no cost; run the sample anew")
        trains = (growth or {}).get(name, 1.0)
        # A vocabulary is trained on a part of the texts, but its tasks look at all of them.
        times = trains if name == "quality" else factor
        fixed = max(0.0, record.seconds - cost.task_seconds / cores)
        estimates.append(
            StageEstimate(
                stage=name,
                rows={name: round(times * table.rows) for name, table in record.tables.items()},
                written_bytes=round(times * sum(table.bytes for table in record.tables.values())),
                shuffle_bytes=round(times * cost.shuffle_bytes),
                core_seconds=times * cost.task_seconds,
                fixed_seconds=trains * fixed,
            )
        )
    return estimates


def scale_dataset(manifest: Manifest, factor: float, shard_tokens: int) -> DatasetEstimate:
    """The dataset of all of the input, from that of a sample."""
    splits = (manifest.train, manifest.heldout)
    sources = [source for split in splits for source in split.sources.values()]
    tokens = round(factor * manifest.train.account.packed)
    return DatasetEstimate(
        documents=round(factor * sum(source.documents for source in sources)),
        tokens=tokens,
        rows=round(factor * sum(split.rows for split in splits)),
        shards=max(1, -(-tokens // shard_tokens)),
        bytes=round(factor * sum(shard.bytes for split in splits for shard in split.shards)),
    )


def wall_seconds(estimates: Sequence[StageEstimate], cores: int) -> float:
    """Time on so many cores, all of them busy; what a driver trains alone does not spread."""
    return sum(e.core_seconds / cores + e.fixed_seconds for e in estimates)


def partitions(estimates: Sequence[StageEstimate], cores: int) -> int:
    """`runtime.partitions` for the largest shuffle, at least two tasks for each core."""
    largest = max((e.shuffle_bytes for e in estimates), default=0)
    return max(2 * cores, -(-largest // PARTITION_BYTES))
