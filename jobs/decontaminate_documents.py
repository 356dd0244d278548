"""Find benchmark items in the documents that are left, and measure the search itself."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.dedup_checks import check_contamination, scratch, written_edits
from jobs.runner import stage_main
from jobs.stage import Contents, Stage, StageContext
from refinery.decontaminate import marking
from refinery.decontaminate.benchmarks import benchmark_files, read_items
from refinery.decontaminate.frequency import frequent_to_ignore
from refinery.decontaminate.index import INDEX_VERSION, BenchmarkIndex
from refinery.decontaminate.measure import measure, upper_bound
from refinery.decontaminate.summary import found_items, item_lines, uncovered_shares
from refinery.dedup.signing import with_spans
from refinery.publish.store import Store
from refinery.recipe import Recipe
from refinery.sources.selection import hash_share
from schemas.errors import run_main
from schemas.fingerprints import sha256_file

HELD_OUT_CHARS = 20_000


def _contents(recipe: Recipe, store: Store) -> Contents:
    assert recipe.decontaminate is not None
    return [
        (f"{benchmark.name}/{path.name}", sha256_file(path))
        for benchmark in recipe.decontaminate.benchmarks
        for path in benchmark_files(benchmark)
    ]


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
    removed = context.read("duplicates").select("doc_id")
    documents = with_spans(
        context.read("cleaned").join(removed, ["doc_id"], how="left_anti"),
        written_edits(context, ("clean", "dedup")),
    )
    with scratch(context) as persist:
        matches = persist(marking.find_matches(documents, index))
        counted = _without_frequent(context, matches, index)
        context.write_many(marking.decide_documents(counted, index, config))
        _measure(context, documents, matches, index)
    hits = context.read_back("contamination")
    context.facts["ngram_tokens"] = json.dumps(index.ngram_tokens)
    context.facts["uncovered"] = json.dumps(uncovered_shares(index))
    context.counts.update(
        items=len(items), uncovered_items=len(index.uncovered), index_ngrams=index.num_ngrams
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, lines in (("items.jsonl", item_lines(index)), ("found.json", found_items(hits))):
            (Path(folder) / name).write_text(lines, encoding="utf-8")
            context.add_artefact(name, Path(folder) / name)
    check_contamination(context, num_documents=documents.count())


def _without_frequent(
    context: StageContext, matches: DataFrame, index: BenchmarkIndex
) -> DataFrame:
    """Matches without those of frequent n-grams; at most the index's own n-grams are collected."""
    config = context.recipe.decontaminate
    assert config is not None
    if config.max_ngram_documents is None:
        return matches
    rows = marking.frequent_grams(matches, config.max_ngram_documents).orderBy("gram").collect()
    ignored = frequent_to_ignore(index, {row["gram"]: row["documents"] for row in rows})
    shown = sorted((row for row in rows if row["gram"] in ignored), key=lambda r: -r["documents"])
    context.counts["ignored_ngrams"] = len(ignored)
    context.facts["ignored_ngrams"] = json.dumps(
        [{"ngram": r["ngram"], "documents": r["documents"]} for r in shown[:50]]
    )
    if not ignored:
        return matches
    gone = context.spark.createDataFrame([(gram,) for gram in sorted(ignored)], "gram bigint")
    return matches.join(F.broadcast(gone), ["gram"], how="left_anti")


def _measure(
    context: StageContext, documents: DataFrame, matches: DataFrame, index: BenchmarkIndex
) -> None:
    """Plant items into documents without a match, in memory."""
    config = context.recipe.decontaminate
    assert config is not None
    seed = context.recipe.seed
    clean = (
        documents.join(matches.select("doc_id").distinct(), ["doc_id"], how="left_anti")
        .select(
            F.substring("text", 1, HELD_OUT_CHARS).alias("text"),
            hash_share(seed, "doc_id").alias("share"),
            "doc_id",
        )
        .orderBy("share", "doc_id")
        .limit(config.planted_items)
    )
    texts = [row["text"] for row in clean.collect()]
    result = measure(index, texts, most=config.planted_items, seed=seed)
    context.facts["recall"] = json.dumps(result.as_json())
    bound = upper_bound(result.false_positives, result.clean_documents)
    context.facts["false_positive_upper_95"] = f"{bound:.3g}"


STAGE = Stage(
    name="decontaminate",
    version=3,
    inputs=("clean", "dedup"),
    settings=_settings,
    contents=_contents,
    run=_run,
    enabled=lambda recipe: recipe.decontaminate is not None,
)

if __name__ == "__main__":
    run_main(partial(stage_main, STAGE))
