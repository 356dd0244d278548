"""Train the recipe's classifiers, each from its positive and negative sources."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.pipeline.stage import Stage, StageContext
from refinery.clean.cleaner import CLEAN_VERSIONS
from refinery.clean.rows import normalize_documents
from refinery.quality.classifier import (
    CLASSIFIER_VERSION,
    balance_documents,
    card_name,
    model_name,
    train,
)
from refinery.quality.config import QualityTrainingConfig
from refinery.quality.facts import ModelCard, QualityFacts
from refinery.recipe import Recipe
from refinery.sources.config import ExcludeConfig
from refinery.sources.exclusions import is_excluded
from refinery.sources.selection import documents, hash_share, sample_documents


def _settings(recipe: Recipe) -> dict[str, object]:
    # What is taken down trains nothing; a recipe without exclusions keeps its fingerprint.
    excluded = {"exclude": recipe.exclude} if recipe.exclude != ExcludeConfig() else {}
    return {
        **excluded,
        "heads": recipe.trained_heads,
        "extract": recipe.clean.extract,
        "normalize": recipe.clean.normalize,
        "sample_fraction": recipe.sample_fraction,
        "seed": recipe.seed,
        "versions": (CLASSIFIER_VERSION, *CLEAN_VERSIONS),
    }


def _sample(context: StageContext, sources: tuple[str, ...], most: int) -> DataFrame:
    """At most twice `most` documents of a class, the smallest hashes first."""
    fetches = context.read("fetches").where(F.col("source").isin(list(sources)))
    rows = documents(fetches, context.read("refetches")).where(~is_excluded(context.recipe.exclude))
    rows = sample_documents(rows, context.recipe.sample_fraction, context.recipe.seed)
    chosen = (
        rows.select("doc_id", hash_share(context.recipe.seed, "doc_id").alias("share"))
        .orderBy("share", "doc_id")
        .limit(2 * most)
        .select("doc_id")
    )
    return rows.join(F.broadcast(chosen), ["doc_id"], how="left_semi")


def _run(context: StageContext) -> QualityFacts:
    heads = context.recipe.trained_heads
    cards = {head: _train_head(context, head, config) for head, config in heads.items()}
    return QualityFacts(cards=dict(sorted(cards.items())))


def _train_head(context: StageContext, head: str, config: QualityTrainingConfig) -> ModelCard:
    """Train and publish one head; returns its card."""
    good = _sample(context, config.positive, config.max_documents)
    noisy = _sample(context, config.negative, config.max_documents)
    rows = normalize_documents(
        good.unionByName(noisy), context.recipe.clean, verdicts_uri=context.verdicts_uri
    ).collect()
    examples = balance_documents(((r["doc_id"], r["source"], r["text"]) for r in rows), config)
    context.counts[f"{head}_examples"] = len(examples)
    with tempfile.TemporaryDirectory() as scratch:
        card = train(examples, config, Path(scratch), head)
        for name in (model_name(head), card_name(head)):
            context.add_artefact(name, Path(scratch) / name)
    return card


STAGE = Stage(
    name="quality",
    version=2,
    inputs=("ingest",),
    settings=_settings,
    run=_run,
    facts=QualityFacts,
    enabled=lambda recipe: bool(recipe.trained_heads),
)
