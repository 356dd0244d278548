"""What a recipe will cost on all of its input, from running it on a small part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.pipeline.sample_factors import Factors
from refinery.publish.records import StageRecord
from refinery.recipe import Recipe
from schemas.errors import SettingsError
from schemas.manifest import Manifest

# Their training is bounded by the recipe (documents or bytes), whatever the input's size.
BOUNDED_STAGES = ("quality", "vocabulary")
# A shuffle partition should fit into a task's memory several times; Spark's tuning guide says 128 MB.
PARTITION_BYTES = 128 << 20


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
    factors: Factors,
    cores: int,
    growth: Mapping[str, float] | None = None,
) -> list[StageEstimate]:
    """Estimates by stage from the records of a sample's run.

    Args:
        records: The sample's records by stage; each holds its cost.
        factors: Sizes of the whole, as multiples of the sample's.
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
        times = trains if name == "quality" else factors.of_stage(name)
        grown = {
            table: trains if name == "quality" else factors.of_table(name, table)
            for table in record.tables
        }
        fixed = max(0.0, record.seconds - cost.task_seconds / cores)
        estimates.append(
            StageEstimate(
                stage=name,
                rows={table: round(grown[table] * t.rows) for table, t in record.tables.items()},
                written_bytes=round(
                    sum(grown[table] * t.bytes for table, t in record.tables.items())
                ),
                shuffle_bytes=round(times * cost.shuffle_bytes),
                core_seconds=times * cost.task_seconds,
                fixed_seconds=trains * fixed,
            )
        )
    return estimates


def scale_dataset(
    manifest: Manifest, factors: Factors, by_source: Mapping[str, float], shard_tokens: int
) -> DatasetEstimate:
    """The dataset of all of the input, from that of a sample.

    Args:
        manifest: The sample's.
        factors: Sizes of the whole, as multiples of the sample's.
        by_source: Bytes of the whole over bytes of the sample, by source.
        shard_tokens: Tokens of a shard.
    """
    splits = (manifest.train, manifest.heldout)
    documents = sum(
        source.documents * by_source.get(name, factors.documents)
        for split in splits
        for name, source in split.sources.items()
    )
    tokens = round(factors.dataset * manifest.train.account.packed)
    return DatasetEstimate(
        documents=round(documents),
        tokens=tokens,
        rows=round(factors.dataset * sum(split.rows for split in splits)),
        shards=max(1, -(-tokens // shard_tokens)),
        bytes=round(factors.dataset * sum(s.bytes for split in splits for s in split.shards)),
    )


def wall_seconds(estimates: Sequence[StageEstimate], cores: int) -> float:
    """Time on so many cores, all of them busy; what a driver trains alone does not spread."""
    return sum(e.core_seconds / cores + e.fixed_seconds for e in estimates)


def partitions(estimates: Sequence[StageEstimate], cores: int) -> int:
    """`runtime.partitions` for the largest shuffle, at least two tasks for each core."""
    largest = max((e.shuffle_bytes for e in estimates), default=0)
    return max(2 * cores, -(-largest // PARTITION_BYTES))
