"""Find benchmark items in the documents that are left, and measure the search itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.pipeline.scratch import scratch
from jobs.pipeline.stage import Stage, StageContext
from jobs.stages.benchmarks import INDEX, ITEMS
from jobs.stages.contamination_alarm import check_contamination
from jobs.stages.earlier_verdicts import removed_duplicates, written_edits
from jobs.stages.frequent_ngrams import (
    find_frequent_ngrams,
    ignored_ngrams,
    last_ngrams,
    without_ignored,
)
from refinery.decontaminate import marking
from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import DecontaminateConfig
from refinery.decontaminate.facts import DecontaminateFacts
from refinery.decontaminate.index import BenchmarkIndex
from refinery.decontaminate.index_file import open_index
from refinery.decontaminate.measure import Search, measure
from refinery.decontaminate.summary import coverage, found_items, item_lines, read_item_lines
from refinery.dedup.signing import with_spans
from refinery.publish import storage
from refinery.recipe import Recipe
from refinery.sources.selection import hash_share

HELD_OUT_CHARS = 2_000


def _config(recipe: Recipe) -> DecontaminateConfig:
    assert recipe.decontaminate is not None, "the stage runs only where the recipe names benchmarks"
    return recipe.decontaminate


def _settings(recipe: Recipe) -> dict[str, object]:
    # What the benchmarks are enters through the stage that read them.
    plain = _config(recipe).model_dump(mode="json", exclude={"benchmarks"})
    return {"decontaminate": plain, "seed": recipe.seed}


def _run(context: StageContext) -> DecontaminateFacts:
    config = _config(context.recipe)
    path = storage.local_copy(context.artefact_uri("benchmarks", INDEX))
    index, items = open_index(path), _items(context)
    removed = removed_duplicates(context).select("doc_id")
    documents = with_spans(
        context.read("cleaned").join(removed, ["doc_id"], how="left_anti"),
        written_edits(context, ("clean", "dedup")),
    )
    fingerprint = context.records["benchmarks"].artefacts[INDEX]
    shared = marking.share_index(context.spark, path, fingerprint)
    with scratch(context) as persist:
        matches = persist(marking.find_matches(documents, shared))
        frequent = find_frequent_ngrams(context, matches, index)
        counted = without_ignored(matches, frequent.verdict)
        context.write_many(marking.decide_documents(counted, shared, config))
        held_out = _held_out(context, documents, matches)
    search = Search(index, frequent.verdict.ignored)
    measured = measure(search, items, held_out, most=config.planted_items, seed=context.recipe.seed)
    _write_items(context, index, items)
    check_contamination(context, num_documents=documents.count())
    return DecontaminateFacts(
        coverage=coverage(index),
        recall=measured.facts(),
        ignored_ngrams=ignored_ngrams(frequent),
        last_ngrams=last_ngrams(frequent, index),
    )


def _items(context: StageContext) -> list[Item]:
    path = storage.local_copy(context.artefact_uri("benchmarks", ITEMS))
    with path.open(encoding="utf-8") as lines:
        return read_item_lines(lines)


def _held_out(context: StageContext, documents: DataFrame, matches: DataFrame) -> list[str]:
    """Texts of some documents without a match, by hash of their ids."""
    clean = (
        documents.join(matches.select("doc_id").distinct(), ["doc_id"], how="left_anti")
        .select(
            F.substring("text", 1, HELD_OUT_CHARS).alias("text"),
            hash_share(context.recipe.seed, "doc_id").alias("share"),
            "doc_id",
        )
        .orderBy("share", "doc_id")
        .limit(_config(context.recipe).planted_items)
    )
    return [row["text"] for row in clean.collect()]


def _write_items(context: StageContext, index: BenchmarkIndex, items: list[Item]) -> None:
    """All items with the number of documents that hold them, for evaluation."""
    documents_by_item = found_items(context.read_back("contamination"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ITEMS
        path.write_text(item_lines(index, items, documents_by_item), encoding="utf-8")
        context.add_artefact(ITEMS, path)
    registered = context.records["benchmarks"].counts
    names = ("items", "uncovered_items", "index_ngrams", "template_ngrams")
    context.counts.update(
        {name: registered[name] for name in names}, found_items=len(documents_by_item)
    )


STAGE = Stage(
    name="decontaminate",
    version=5,
    inputs=("benchmarks", "clean", "dedup"),
    settings=_settings,
    run=_run,
    facts=DecontaminateFacts,
    enabled=lambda recipe: recipe.decontaminate is not None,
)
