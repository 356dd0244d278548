"""The alarm of dedup: a source that loses more than the recipe's share stops the job."""

from __future__ import annotations

import json
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.pipeline.stage import StageContext
from refinery.dedup.clusters import cluster_sizes, largest
from refinery.publish import storage
from schemas.errors import QualityGateError

CLUSTERS, EXCERPT_CHARS = 10, 1_000


def check_losses(context: StageContext) -> None:
    """Stop where a source loses more than the recipe's share.

    Raises:
        QualityGateError: It names a file with the ten largest clusters of each such source and,
            of each cluster, the texts of the removed document that is least like its keeper.
    """
    most = context.recipe.dedup.max_source_loss
    if most is None:
        return
    documents = context.read("ledger").where("drop_reason is null").groupBy("source").count()
    duplicates = context.read_back("duplicates")
    lost = duplicates.groupBy("source").agg(F.count("*").alias("lost"))
    rows = documents.join(lost, ["source"], how="inner").orderBy("source").collect()
    beyond = [row for row in rows if row["lost"] > most * row["count"]]
    if not beyond:
        return
    shown = {row["source"]: _shown(context, duplicates, row["source"]) for row in beyond}
    uri = storage.join_uri(context.runtime.output, "alarms", "dedup.json")
    storage.replace(uri, json.dumps(shown, ensure_ascii=False, indent=2).encode())
    parts = [f"{r['lost']} of {r['count']} documents of '{r['source']}'" for r in beyond]
    raise QualityGateError(
        f"dedup removes {'; '.join(parts)}: more than recipe.dedup.max_source_loss {most}; "
        f"the largest clusters, with samples, are in {uri}"
    )


def _shown(context: StageContext, duplicates: DataFrame, source: str) -> list[dict[str, Any]]:
    """The largest clusters of a source with the texts of their samples."""
    own = duplicates.where(F.col("source") == source)
    clusters = largest(cluster_sizes(own, context.read_back("edges")), most=CLUSTERS)
    ids = [end for c in clusters for end in (c.sample.kept_id, c.sample.doc_id)]
    shown = context.read("cleaned").where(F.col("doc_id").isin(ids))
    excerpt = F.substring("text", 1, EXCERPT_CHARS).alias("text")
    texts = {row["doc_id"]: row["text"] for row in shown.select("doc_id", excerpt).collect()}
    return [
        {
            **cluster.model_dump(exclude={"sample"}),
            "sample": {
                **cluster.sample.model_dump(),
                # A keeper of an earlier run's dump has its text there, not here.
                "kept_text": texts.get(cluster.sample.kept_id),
                "removed_text": texts.get(cluster.sample.doc_id),
            },
        }
        for cluster in clusters
    ]
