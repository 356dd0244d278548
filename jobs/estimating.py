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

# Their work is bounded by the recipe (documents or bytes to train on), whatever the input's size.
BOUNDED_STAGES = ("quality", "vocabulary")
# A shuffle partition should fit into a task's memory several times; Spark's tuning guide says 128 MB.
PARTITION_BYTES = 128 << 20


@dataclass(frozen=True)
class Sample:
    """Files to run on, and how much larger the whole is."""

    files: tuple[InputFile, ...]
    bytes_by_source: dict[str, int]
    sampled_by_source: dict[str, int]

    @property
    def factor(self) -> float:
        """Bytes of the whole input over bytes of the sample."""
        return sum(self.bytes_by_source.values()) / max(1, sum(self.sampled_by_source.values()))


@dataclass(frozen=True)
class StageEstimate:
    """One stage on all of the input."""

    stage: str
    rows: int
    written_bytes: int
    shuffle_bytes: int
    core_seconds: float
    fixed_seconds: float


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


def scale(records: Mapping[str, StageRecord], factor: float, cores: int) -> list[StageEstimate]:
    """Estimates by stage from the records of a sample's run.

    Args:
        records: By stage, with their costs.
        factor: Whole input over sample.
        cores: That the sample ran on; what its tasks did not use of them is the fixed part.
    """
    estimates = []
    for name, record in records.items():
        cost = record.cost
        if cost is None:
            raise SettingsError(f"stage '{name}': its record holds no cost; run the sample anew")
        times = 1.0 if name in BOUNDED_STAGES else factor
        written = sum(table.bytes for table in record.tables.values())
        estimates.append(
            StageEstimate(
                stage=name,
                rows=round(times * sum(table.rows for table in record.tables.values())),
                written_bytes=round(times * written),
                shuffle_bytes=round(times * cost.shuffle_bytes),
                core_seconds=times * cost.task_seconds,
                fixed_seconds=max(0.0, record.seconds - cost.task_seconds / cores),
            )
        )
    return estimates


def wall_seconds(estimates: Sequence[StageEstimate], cores: int) -> float:
    """Time on so many cores, all of them busy: a bounded stage's tasks do not spread."""
    spread = sum(e.core_seconds / cores for e in estimates if e.stage not in BOUNDED_STAGES)
    bounded = sum(e.core_seconds for e in estimates if e.stage in BOUNDED_STAGES)
    return spread + bounded + sum(e.fixed_seconds for e in estimates)


def partitions(estimates: Sequence[StageEstimate], cores: int) -> int:
    """`runtime.partitions` for the largest shuffle, at least two tasks for each core."""
    largest = max((e.shuffle_bytes for e in estimates), default=0)
    return max(2 * cores, -(-largest // PARTITION_BYTES))
