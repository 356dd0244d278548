"""Read the recipe's benchmarks once: an index that every executor maps, items for evaluation."""

from __future__ import annotations

import tempfile
from pathlib import Path

from jobs.pipeline.stage import Contents, Stage, StageContext
from refinery.decontaminate.benchmarks import content_files, read_items
from refinery.decontaminate.facts import BenchmarksFacts, TemplateNgram
from refinery.decontaminate.index import INDEX_VERSION, BenchmarkIndex
from refinery.decontaminate.index_file import write_index
from refinery.decontaminate.summary import coverage, item_lines
from refinery.publish.store import Store
from refinery.recipe import Recipe
from schemas.fingerprints import sha256_file

INDEX, ITEMS = "benchmarks.index", "items.jsonl"
SHOWN = 50  # uncovered items that the facts name


def _contents(recipe: Recipe, store: Store) -> Contents:
    assert recipe.decontaminate is not None
    return [
        (f"{benchmark.name}/{path.name}", sha256_file(path))
        for benchmark in recipe.decontaminate.benchmarks
        for path in content_files(benchmark)
    ]


def _settings(recipe: Recipe) -> dict[str, object]:
    assert recipe.decontaminate is not None
    plain = recipe.decontaminate.model_dump(mode="json")
    for benchmark in plain["benchmarks"]:
        del benchmark["path"]
        if benchmark["multiple_choice"]:
            del benchmark["multiple_choice"]["labels"]
    names = ("benchmarks", "max_ngram", "min_ngram", "max_ngram_items")
    return {"index": INDEX_VERSION, **{name: plain[name] for name in names}}


def _run(context: StageContext) -> BenchmarksFacts:
    config = context.recipe.decontaminate
    assert config is not None, "the stage runs only where the recipe names benchmarks"
    items = [item for benchmark in config.benchmarks for item in read_items(benchmark)]
    index = BenchmarkIndex.build(items, config)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_index(folder / INDEX, index)
        (folder / ITEMS).write_text(item_lines(index, items), encoding="utf-8")
        for file in (INDEX, ITEMS):
            context.add_artefact(file, folder / file)
        context.counts["index_bytes"] = (folder / INDEX).stat().st_size
    context.counts.update(
        items=len(items),
        uncovered_items=len(index.uncovered),
        index_ngrams=index.num_ngrams,
        template_ngrams=index.num_templates,
    )
    return BenchmarksFacts(
        coverage=coverage(index),
        templates=tuple(TemplateNgram(ngram=words, items=n) for words, n in index.templates),
        uncovered=tuple(index.names[item] for item in index.uncovered[:SHOWN]),
    )


STAGE = Stage(
    name="benchmarks",
    version=1,
    settings=_settings,
    contents=_contents,
    run=_run,
    facts=BenchmarksFacts,
    enabled=lambda recipe: recipe.decontaminate is not None,
)
