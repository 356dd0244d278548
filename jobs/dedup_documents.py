"""Mark exact and near duplicates; every removal is backed by a measured similarity."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from pyspark.sql import functions as F  # noqa: N812

from jobs.runner import stage_main
from jobs.stage import Stage, StageContext
from refinery.dedup import marking
from refinery.dedup.lsh import SCurve, scheme_name
from refinery.recipe import Recipe
from schemas.errors import QualityGateError, run_main


def _settings(recipe: Recipe) -> dict[str, Any]:
    order = [source.name for source in recipe.sources]
    return {"dedup": recipe.dedup, "order": order, "scheme": scheme_name(recipe.dedup)}


def _run(context: StageContext) -> None:
    config, sources = context.recipe.dedup, [source.name for source in context.recipe.sources]
    cleaned = context.read("cleaned")
    order = marking.keeper_order(cleaned, sources)
    exact = marking.mark_exact(order)
    context.write("signatures", marking.sign(cleaned, config))
    signatures = context.read_back("signatures").join(exact, ["doc_id"], how="left_anti")
    members = marking.bucket_members(signatures, order)
    pairs = marking.candidate_pairs(members, config)
    context.write("edges", marking.verified_edges(pairs, signatures, config))
    edges = context.read_back("edges")
    near = marking.solve(edges, order)
    context.write("duplicates", marking.duplicates(exact, near, edges, order))
    curve = SCurve(config.num_bands, config.rows_per_band, config.threshold)
    context.facts["s_curve"] = json.dumps(
        {
            "bands": config.num_bands,
            "rows": config.rows_per_band,
            "threshold": config.threshold,
            "false_negative_area": round(curve.false_negative_area, 6),
            "false_positive_area": round(curve.false_positive_area, 6),
            "points": [[round(x, 3), round(y, 5)] for x, y in curve.points(51)],
        }
    )
    large = members.where(F.col("size") > config.full_bucket).select("band", "key").distinct()
    context.counts["capped_buckets"] = large.count()
    _alarm(context)


def _alarm(context: StageContext) -> None:
    """Stop where a source loses more than the recipe's share."""
    most = context.recipe.dedup.max_source_loss
    if most is None:
        return
    documents = context.read("ledger").where("drop_reason is null").groupBy("source").count()
    lost = context.read_back("duplicates").groupBy("source").agg(F.count("*").alias("lost"))
    for row in documents.join(lost, ["source"], how="inner").orderBy("source").collect():
        if row["lost"] > most * row["count"]:
            raise QualityGateError(
                f"dedup removes {row['lost']} of {row['count']} documents of '{row['source']}', "
                f"more than recipe.dedup.max_source_loss {most}"
            )


STAGE = Stage(
    name="dedup",
    version=1,
    inputs=("clean",),
    settings=_settings,
    run=_run,
    enabled=lambda recipe: recipe.dedup.enabled,
)

if __name__ == "__main__":
    run_main(partial(stage_main, STAGE))
