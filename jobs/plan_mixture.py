"""Copies per training document: whole epochs for all, one more for a hashed share."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from pyspark.sql import functions as F

from jobs.runner import stage_main
from jobs.stage import Stage, StageContext
from refinery.mixture.plan import plan_mixture
from refinery.recipe import Recipe
from refinery.sources.selection import HASH_BITS, hash_share
from schemas.errors import run_main
from schemas.tables import TABLES


def _run(context: StageContext) -> None:
    recipe = context.recipe
    training = (
        context.read("tokens").where("split = 'train'").select("doc_id", "source", "num_tokens")
    )
    rows = {
        row["source"]: row
        for row in training.groupBy("source")
        .agg(F.count("*").alias("documents"), F.sum("num_tokens").alias("tokens"))
        .collect()
    }
    names = [source.name for source in recipe.sources]
    tokens = {name: rows[name]["tokens"] if name in rows else 0 for name in names}
    documents = {name: rows[name]["documents"] if name in rows else 0 for name in names}
    plan = plan_mixture(tokens, documents, recipe.mixture)
    epochs = F.create_map(*(F.lit(x) for item in plan.epochs().items() for x in item))
    of_source = epochs[F.col("source")]
    whole = F.floor(of_source)
    # The threshold is an integer, so the choice never depends on how a float is compared.
    border = F.floor((of_source - whole) * F.lit(float(2**HASH_BITS))).cast("bigint")
    extra = (hash_share(recipe.seed + 2, "doc_id") < border).cast("int")
    copies = training.withColumn("copies", (whole + extra).cast("int"))
    context.write("mixture", copies.select(*TABLES["mixture"].column_names))
    context.facts["plan"] = json.dumps([vars(source) for source in plan.sources])
    context.facts["warnings"] = json.dumps(plan.warnings, ensure_ascii=False)


def _settings(recipe: Recipe) -> dict[str, Any]:
    names = [source.name for source in recipe.sources]
    return {"mixture": recipe.mixture, "seed": recipe.seed, "sources": names}


STAGE = Stage(name="mixture", version=2, inputs=("tokenise",), settings=_settings, run=_run)

if __name__ == "__main__":
    run_main(partial(stage_main, STAGE))
