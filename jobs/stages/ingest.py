"""Read every source into `fetches`, `records`, `rejects` and `refetches`."""

from __future__ import annotations

from jobs.pipeline.stage import Stage, StageContext
from jobs.spark.session import build_session
from refinery.publish import storage
from refinery.publish.store import Store
from refinery.recipe import Recipe, Runtime
from refinery.sources.binary_files import list_whole_files, needs_spark
from refinery.sources.config import SourceConfig
from refinery.sources.listing import HASH_CACHE, InputFile, hash_files, list_files
from refinery.sources.reading import read_files
from refinery.sources.selection import find_refetches
from refinery.sources.urls import URL_NORMALISER
from schemas.errors import ContractError


def _list_input(recipe: Recipe, store: Store) -> list[InputFile]:
    """The files of all sources with their content hashes."""
    files = [file for source in recipe.sources for file in _list(recipe, source, store)]
    return hash_files(files, cache_uri=storage.join_uri(store.root, HASH_CACHE))


def _list(recipe: Recipe, source: SourceConfig, store: Store) -> list[InputFile]:
    if not needs_spark(source):
        return list_files(source)
    # Earlier than any stage; the run's own session is this one, with its number of partitions.
    session = build_session(recipe.name, Runtime(output=store.root))
    return list_whole_files(session, source)


def _contents(recipe: Recipe, store: Store) -> list[tuple[str, str]]:
    return [(f"{f.source}/{f.name}", f.sha256) for f in _list_input(recipe, store)]


def _settings(recipe: Recipe) -> dict[str, object]:
    # Where a source lies and who opens it is no part of what it holds.
    sources = [
        source.model_dump(mode="json", exclude={"uri", "reader"}) for source in recipe.sources
    ]
    return {"sources": sources, "limits": recipe.limits, "url_normaliser": URL_NORMALISER}


def _run(context: StageContext) -> None:
    files = _list_input(context.recipe, context.store)
    rows = read_files(context.spark, files, context.recipe.sources, context.recipe.limits)
    context.write_many(rows)
    fetches, num_fetches = context.read_back("fetches"), context.count_back("fetches")
    if num_fetches == 0:
        raise ContractError("the sources hold no document: see the rejects and records of ingest")
    num_ids = fetches.select("doc_id").distinct().count()
    # Where all ids differ nothing was fetched twice, and no order needs to be found.
    refetches = find_refetches(fetches)
    context.write("refetches", refetches if num_ids < num_fetches else refetches.limit(0))
    num_refetches = context.count_back("refetches")
    if num_fetches != num_ids + num_refetches:
        raise ContractError(f"{num_fetches} fetches != {num_ids} ids + {num_refetches} refetched")
    context.counts.update(files=len(files), fetches=num_fetches, documents=num_ids)


STAGE = Stage(name="ingest", version=3, settings=_settings, contents=_contents, run=_run)
