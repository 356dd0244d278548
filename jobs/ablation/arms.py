"""Make the dataset of an arm from what the base has published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyspark.sql import SparkSession

from jobs.ablation.base import BaseRun, walker
from jobs.ablation.stages import SHARED, arm_stages
from jobs.pipeline.recording import record_run
from jobs.pipeline.runner import RefineRun
from jobs.pipeline.stage import Stage
from refinery.datasets.publish import dataset_uri
from refinery.packing.config import PackingConfig
from refinery.packing.write_shards import has_end_marks
from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.runs import alone_in
from refinery.recipe import RefineSettings
from schemas.errors import ContractError
from schemas.manifest import MANIFEST_NAME, Manifest

# A document that an arm has or lacks shifts the rows behind it, to the end of its shard: the more
# shards, the more rows arms share. Each shard of a training split leaves out half a row on average.
MOST_SHARDS = 64
ROWS_OF_A_SHARD = 64


@dataclass(frozen=True, kw_only=True)
class MadeArm:
    """An arm whose dataset is published."""

    settings: RefineSettings
    records: dict[str, StageRecord]
    manifest_uri: str
    manifest: Manifest


def make_arm(
    base: BaseRun,
    settings: RefineSettings,
    *,
    stages: Sequence[Stage],
    num_shards: int,
    session: Callable[[], SparkSession],
) -> MadeArm:
    """Publish the dataset of an arm below its own output; what is published already is taken.

    Args:
        base: The finished run.
        settings: Those of the arm, with its own output and the base's tables.
        stages: All stages of a recipe.
        num_shards: Of the training split, the same for all arms, so that a hash range is one shard in all.
        session: Gives the session when a stage runs.
    """
    walk, started = walker(settings, base.store, session), datetime.now(UTC)
    walk.records.update({name: one for name, one in base.records.items() if name in SHARED})
    todo = [one for one in arm_stages(tuple(stages), base.records) if one.enabled(settings.recipe)]
    with alone_in(settings.runtime.output), base.store.share():
        for stage in todo[:-1]:
            walk.do(stage, too_early_for=None, packs=False)
        walk.settings = with_shards(walk, base.manifest, num_shards)
        walk.do(todo[-1], too_early_for=None, packs=True)
        record_run(walk.settings, walk.store, walk.records, started)
    uri = storage.join_uri(dataset_uri(settings.runtime.output), MANIFEST_NAME)
    manifest = Manifest.model_validate_json(storage.read_bytes(uri))
    return MadeArm(
        settings=walk.settings, records=walk.records, manifest_uri=uri, manifest=manifest
    )


def shards_for(tokens: int, packing: PackingConfig) -> int:
    """Shards of the training split of every arm, from the tokens of the base's."""
    return max(1, min(MOST_SHARDS, tokens // (ROWS_OF_A_SHARD * packing.seq_len)))


def with_shards(walk: RefineRun, base: Manifest, num_shards: int) -> RefineSettings:
    """The settings with the `shard_tokens` that give so many training shards.

    Raises:
        ContractError: The arm has too few tokens for them.
    """
    packing = walk.settings.recipe.packing
    end_mark = int(has_end_marks(packing, base.tokenizer.special_ids))
    uri = walk.store.table_uri(walk.records["mixture"], "mixture")
    system, path = storage.file_system(uri)
    mixture = ds.dataset(path, format="parquet", filesystem=system)
    total = 0
    for batch in mixture.to_batches(columns=["num_tokens", "copies"]):
        copies = pc.cast(batch["copies"], "int64")
        total += pc.sum(pc.multiply(copies, pc.add(batch["num_tokens"], end_mark))).as_py() or 0
    shard_tokens = -(-total // num_shards)
    if total == 0 or -(-total // shard_tokens) != num_shards:
        raise ContractError(
            f"{walk.settings.runtime.output}: {total:,} training tokens give no {num_shards} shards of equal size"
        )
    packing = packing.model_copy(update={"shard_tokens": shard_tokens})
    recipe = walk.settings.recipe.model_copy(update={"packing": packing})
    return walk.settings.model_copy(update={"recipe": recipe})
