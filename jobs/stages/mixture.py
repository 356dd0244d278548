"""Copies per training document: whole epochs for all, one more for a hashed share."""

from __future__ import annotations

from pyspark.sql import functions as F

from jobs.pipeline.stage import Stage, StageContext
from refinery.mixture.copies import MICRO, count_copies, rehydrated, with_factor
from refinery.mixture.facts import MixtureFacts
from refinery.mixture.plan import plan_mixture
from refinery.recipe import Recipe
from schemas.tables import TABLES


def _run(context: StageContext) -> MixtureFacts:
    recipe = context.recipe
    tokens = context.read("tokens").where("split = 'train'")
    training = with_factor(
        tokens.select("doc_id", "source", "num_tokens"),
        context.read("ledger").select("doc_id", "scores"),
        recipe.mixture.weight_by,
    )
    training = rehydrated(training, context.read("duplicates"), recipe.mixture.rehydrate)
    rows = {
        row["source"]: row
        for row in training.groupBy("source")
        .agg(
            F.count("*").alias("documents"),
            F.sum("num_tokens").alias("tokens"),
            F.sum(F.col("num_tokens") * F.col("factor")).alias("weighted"),
        )
        .collect()
    }
    names = [source.name for source in recipe.sources]
    # A source whose documents all have the factor 0 gives nothing: it counts as one without tokens.
    counted = {
        name: rows[name]["tokens"] if name in rows and rows[name]["weighted"] else 0
        for name in names
    }
    documents = {name: rows[name]["documents"] if name in rows else 0 for name in names}
    plan = plan_mixture(counted, documents, recipe.mixture)
    # With factors, a source's tokens stay as planned: its epochs are divided by their mean.
    epochs = {
        name: value * counted[name] * MICRO / rows[name]["weighted"]
        if name in rows and rows[name]["weighted"]
        else 0.0
        for name, value in plan.epochs().items()
    }
    copies = count_copies(training, epochs, recipe.seed)
    context.write("mixture", copies.select(*TABLES["mixture"].column_names))
    return MixtureFacts(plan=plan.sources, warnings=plan.warnings)


def _settings(recipe: Recipe) -> dict[str, object]:
    names = [source.name for source in recipe.sources]
    return {"mixture": recipe.mixture, "seed": recipe.seed, "sources": names}


STAGE = Stage(
    name="mixture",
    version=6,
    inputs=("clean", "dedup", "tokenise"),
    settings=_settings,
    run=_run,
    facts=MixtureFacts,
)
