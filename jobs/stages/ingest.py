"""Read every source into `fetches`, `records`, `rejects`, `files` and `refetches`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from pyspark.sql import DataFrame, Row

from jobs.pipeline.stage import Contents, Stage, StageContext
from jobs.spark.session import build_session
from jobs.stages.new_files import as_listed, new_files
from jobs.stages.run_sources import list_runs, read_runs
from jobs.stages.source_facts import reject_examples, source_facts
from refinery.publish import storage
from refinery.publish.store import Store
from refinery.recipe import Recipe, Runtime
from refinery.sources.binary_files import list_whole_files, needs_spark
from refinery.sources.config import SourceConfig
from refinery.sources.facts import IngestFacts
from refinery.sources.gate import poor_sources, refuse
from refinery.sources.identities import HASH_CACHE, remember, with_identities
from refinery.sources.listing import UNREADABLE, InputFile, Listing, is_empty, list_source
from refinery.sources.reading import read_files
from refinery.sources.selection import find_refetches
from refinery.sources.spark_tables import list_table
from refinery.sources.urls import URL_NORMALISER
from schemas.errors import ContractError


def _list_input(recipe: Recipe, store: Store) -> tuple[list[InputFile], dict[str, int]]:
    """The files of all sources with what identifies them, and the number of side files by source."""
    listings = {source.name: _list(recipe, source, store) for source in as_listed(recipe)}
    files = [file for listing in listings.values() for file in listing.files]
    fresh = new_files(recipe, files)
    known = with_identities(fresh, recipe.sources, _cache_uri(store))
    return known, {name: len(listing.passed_over) for name, listing in listings.items()}


def _cache_uri(store: Store) -> str:
    return storage.join_uri(store.root, HASH_CACHE)


def _list(recipe: Recipe, source: SourceConfig, store: Store) -> Listing:
    if source.format == "run":
        return list_runs(source)
    if not needs_spark(source):
        if recipe.new_files_only and is_empty(source):
            return Listing((), ())
        return list_source(source)
    # Earlier than any stage; the run's own session is this one, with its number of partitions.
    session = build_session(recipe.name, Runtime(output=store.root))
    listed = list_table if source.format == "spark" else list_whole_files
    return Listing(tuple(listed(session, source)), ())


def _contents(recipe: Recipe, store: Store) -> Contents | None:
    files, _ = _list_input(recipe, store)
    return _named(files) if all(file.sha256 for file in files) else None


def _named(files: Sequence[InputFile]) -> Contents:
    return [(f"{file.source}/{file.name}", file.sha256) for file in files]


def _settings(recipe: Recipe) -> dict[str, object]:
    # Where a source lies, who opens it and how its files are told apart is no part of what it holds.
    sources = [
        source.model_dump(mode="json", exclude={"uri", "reader", "identity", "spark"})
        for source in recipe.sources
    ]
    return {"sources": sources, "limits": recipe.limits, "url_normaliser": URL_NORMALISER}


def _run(context: StageContext) -> IngestFacts:
    files, passed_over = _list_input(context.recipe, context.store)
    if files:
        context.write_many(_read(context, files))
    # A row for each file: few, and the driver has listed them.
    read = context.read_back("files").collect()
    sources = source_facts(context, read, passed_over)
    poor = poor_sources(as_listed(context.recipe), sources, context.recipe.limits)
    if poor:
        examples = reject_examples(context, [source.name for source in poor])
        raise refuse(poor, sources, examples, context.recipe.limits)
    context.contents.extend(_named(_as_read(context, files, read)))
    fetches, num_fetches = context.read_back("fetches"), context.count_back("fetches")
    num_ids = fetches.select("doc_id").distinct().count()
    # Where all ids differ nothing was fetched twice, and no order needs to be found.
    if num_ids < num_fetches:
        context.write("refetches", find_refetches(fetches))
    num_refetches = context.count_back("refetches")
    if num_fetches != num_ids + num_refetches:
        raise ContractError(f"{num_fetches} fetches != {num_ids} ids + {num_refetches} refetched")
    context.counts.update(files=len(files), fetches=num_fetches, documents=num_ids)
    return IngestFacts(sources=sources)


def _read(context: StageContext, files: Sequence[InputFile]) -> DataFrame:
    """Every row of every file, and of every run."""
    sources, frames, others = context.recipe.sources, list[DataFrame](), list(files)
    for priority, source in enumerate(sources):
        if source.format == "run":
            runs = [file for file in others if file.source == source.name]
            others = [file for file in others if file.source != source.name]
            frames += read_runs(context, source, runs, priority)
    if others:
        frames.append(read_files(context.spark, others, sources, context.recipe.limits))
    return reduce(DataFrame.unionByName, frames)


def _as_read(
    context: StageContext, files: Sequence[InputFile], rows: Sequence[Row]
) -> list[InputFile]:
    """The files with the hashes of what the tasks read, which are kept for the next run."""
    hashes = {(row["source"], row["file"]): row["sha256"] for row in rows}
    by_version = {s.name for s in context.recipe.sources if s.identity == "version"}
    read = [
        file
        if file.source in by_version
        else replace(file, sha256=hashes.get((file.source, file.name)) or "")
        for file in files
    ]
    remember(read, _cache_uri(context.store))
    return [file if file.sha256 else replace(file, sha256=UNREADABLE) for file in read]


STAGE = Stage(
    name="ingest", version=5, settings=_settings, contents=_contents, run=_run, facts=IngestFacts
)
