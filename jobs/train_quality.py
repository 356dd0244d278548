"""Train the quality classifier from the recipe's positive and negative sources."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runner import stage_main
from jobs.stage import Stage, StageContext
from refinery.clean import CLEAN_VERSIONS
from refinery.clean_rows import normalize_documents
from refinery.quality.classifier import (
    CARD_NAME,
    CLASSIFIER_VERSION,
    MODEL_NAME,
    make_examples,
    train,
)
from refinery.recipe import Recipe
from refinery.sources.selection import documents, hash_share, sample_documents
from schemas.errors import run_main


def _settings(recipe: Recipe) -> dict[str, Any]:
    return {
        "quality": recipe.quality,
        "extract": recipe.clean.extract,
        "normalize": recipe.clean.normalize,
        "sample_fraction": recipe.sample_fraction,
        "seed": recipe.seed,
        "versions": (CLASSIFIER_VERSION, *CLEAN_VERSIONS),
    }


def _sample(context: StageContext, sources: tuple[str, ...], most: int) -> DataFrame:
    """At most twice `most` documents of a class, the smallest hashes first."""
    fetches = context.read("fetches").where(F.col("source").isin(list(sources)))
    rows = documents(fetches, context.read("refetches"))
    rows = sample_documents(rows, context.recipe.sample_fraction, context.recipe.seed)
    chosen = (
        rows.select("doc_id", hash_share(context.recipe.seed, "doc_id").alias("share"))
        .orderBy("share", "doc_id")
        .limit(2 * most)
        .select("doc_id")
    )
    return rows.join(F.broadcast(chosen), ["doc_id"], how="left_semi")


def _run(context: StageContext) -> None:
    config = context.recipe.quality
    assert config is not None, "the stage runs only where the recipe trains a classifier"
    good = _sample(context, config.positive, config.max_documents)
    noisy = _sample(context, config.negative, config.max_documents)
    rows = normalize_documents(good.unionByName(noisy), context.recipe.clean).collect()
    examples = make_examples(((r["doc_id"], r["source"], r["text"]) for r in rows), config)
    context.counts["examples"] = len(examples)
    with tempfile.TemporaryDirectory() as scratch:
        train(examples, config, Path(scratch))
        context.facts["card"] = (Path(scratch) / CARD_NAME).read_text(encoding="utf-8")
        for name in (MODEL_NAME, CARD_NAME):
            context.add_artefact(name, Path(scratch) / name)


STAGE = Stage(
    name="quality",
    version=1,
    inputs=("ingest",),
    settings=_settings,
    run=_run,
    enabled=lambda recipe: recipe.quality is not None,
)

if __name__ == "__main__":
    run_main(partial(stage_main, STAGE))
