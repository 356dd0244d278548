"""Compare the neighbours of words between the recipe's domains, on a bounded sample."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from pyspark.sql import Row, Window
from pyspark.sql import functions as F

from jobs.pipeline.stage import Stage, StageContext
from refinery.language.domains import HomographsConfig
from refinery.language.homographs import HOMOGRAPHS_VERSION, Homograph, find_homographs
from refinery.recipe import Recipe
from refinery.sources.selection import hash_share
from schemas.tables import TABLES


def _settings(recipe: Recipe) -> dict[str, object]:
    return {
        "homographs": _config(recipe),
        "seed": recipe.seed,
        "version": HOMOGRAPHS_VERSION,
    }


def _config(recipe: Recipe) -> HomographsConfig | None:
    return None if recipe.domains is None else recipe.domains.homographs


def _run(context: StageContext) -> None:
    config = _config(context.recipe)
    assert config is not None, "the stage is enabled by this setting"
    texts: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for row in _sample(context, config):
        texts[row["domain"]][row["text"]] = None  # equal texts count once
    words = find_homographs(texts, config)
    rows = [_row(rank, word) for rank, word in enumerate(words)]
    table = TABLES["homographs"]
    context.write("homographs", context.spark.createDataFrame(rows, table.ddl).coalesce(1))
    context.counts.update(
        {f"{domain}_documents": len(distinct) for domain, distinct in texts.items()}
    )


def _sample(context: StageContext, config: HomographsConfig) -> list[Row]:
    """(domain, text) of kept documents, the smallest hashes of each domain in their order."""
    kept = context.read("cleaned").where("drop_reason is null and domain is not null")
    order = Window.partitionBy("domain").orderBy("share", "doc_id")
    chosen = (
        kept.select("doc_id", "domain", hash_share(context.recipe.seed, "doc_id").alias("share"))
        .withColumn("rank", F.row_number().over(order))
        .where(F.col("rank") <= config.max_documents)
        .select("doc_id", "rank")
    )
    text = F.substring("text", 1, config.max_chars).alias("text")
    rows: list[Row] = (
        kept.join(F.broadcast(chosen), ["doc_id"], how="inner")
        .select("domain", "rank", text)
        .orderBy("domain", "rank")
        .collect()
    )
    return rows


def _row(rank: int, word: Homograph) -> tuple[Any, ...]:
    """A row of the table; columns in their order."""
    (domain, other), (count, other_count) = word.domains, word.counts
    contexts, other_contexts = (list(passages) for passages in word.contexts)
    return (
        rank, word.word, domain, other, word.divergence, word.by_chance,
        count, other_count, contexts, other_contexts,
    )  # fmt: skip


STAGE = Stage(
    name="homographs",
    version=1,
    inputs=("clean",),
    settings=_settings,
    run=_run,
    enabled=lambda recipe: _config(recipe) is not None,
)
