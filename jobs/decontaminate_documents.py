"""Find benchmark items in the documents that are left, and measure the search itself."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F  # noqa: N812

from jobs.runner import stage_main
from jobs.stage import Contents, Stage, StageContext
from refinery.decontaminate.benchmarks import read_items
from refinery.decontaminate.index import INDEX_VERSION, BenchmarkIndex
from refinery.decontaminate.marking import scan_documents
from refinery.decontaminate.measure import measure
from refinery.publish.store import Store
from refinery.recipe import Recipe
from refinery.sources.selection import hash_share
from schemas.errors import QualityGateError, SettingsError, run_main
from schemas.fingerprints import sha256_file


def _contents(recipe: Recipe, store: Store) -> Contents:
    assert recipe.decontaminate is not None
    hashes = []
    for benchmark in recipe.decontaminate.benchmarks:
        if not Path(benchmark.path).is_file():
            raise SettingsError(f"benchmark '{benchmark.name}': no file {benchmark.path}")
        hashes.append((benchmark.name, sha256_file(Path(benchmark.path))))
    return hashes


def _settings(recipe: Recipe) -> dict[str, Any]:
    assert recipe.decontaminate is not None
    plain = recipe.decontaminate.model_dump(mode="json")
    for benchmark in plain["benchmarks"]:
        del benchmark["path"]
    return {"decontaminate": plain, "seed": recipe.seed, "index": INDEX_VERSION}


def _run(context: StageContext) -> None:
    config = context.recipe.decontaminate
    assert config is not None, "the stage runs only where the recipe names benchmarks"
    items = [item for benchmark in config.benchmarks for item in read_items(benchmark)]
    index = BenchmarkIndex.build(items, config)
    duplicates = context.read("duplicates").select("doc_id")
    documents = (
        context.read("cleaned")
        .where("drop_reason is null")
        .join(duplicates, ["doc_id"], how="left_anti")
    )
    context.write_many(scan_documents(documents, index, config))
    hits = context.read_back("contamination")
    clean = (
        documents.join(hits.select("doc_id").distinct(), ["doc_id"], how="left_anti")
        .select("text", hash_share(context.recipe.seed, "doc_id").alias("share"), "doc_id")
        .orderBy("share", "doc_id")
        .limit(config.planted_items)
        .select(F.substring("text", 1, 20_000).alias("text"))
    )
    texts = [row["text"] for row in clean.collect()]
    result = measure(index, texts, most=config.planted_items, seed=context.recipe.seed)
    context.facts["recall"] = json.dumps(result.as_json())
    context.facts["ngram_tokens"] = json.dumps(index.ngram_tokens)
    context.counts.update(items=len(items), uncovered_items=len(index.uncovered))
    _gate(context, num_documents=documents.count())


def _gate(context: StageContext, *, num_documents: int) -> None:
    """Stop where more is contaminated than real contamination ever is: a rule is wrong then."""
    config = context.recipe.decontaminate
    assert config is not None
    hits = context.read_back("contamination")
    num_hit = hits.select("doc_id").distinct().count()
    context.counts.update(scanned=num_documents, contaminated=num_hit)
    if num_hit > config.max_removal_fraction * num_documents:
        commonest = (
            hits.groupBy("ngram")
            .agg(F.countDistinct("doc_id").alias("docs"))
            .orderBy(F.desc("docs"), "ngram")
            .limit(5)
            .collect()
        )
        shown = "\n  ".join(f"{row['docs']} x {row['ngram'][:120]!r}" for row in commonest)
        raise QualityGateError(
            f"decontaminate: {num_hit} of {num_documents} documents hold a benchmark item, more than "
            f"recipe.decontaminate.max_removal_fraction {config.max_removal_fraction}; what matched:"
            f"\n  {shown}"
        )


STAGE = Stage(
    name="decontaminate",
    version=1,
    inputs=("clean", "dedup"),
    settings=_settings,
    contents=_contents,
    run=_run,
    enabled=lambda recipe: recipe.decontaminate is not None,
)

if __name__ == "__main__":
    run_main(partial(stage_main, STAGE))
