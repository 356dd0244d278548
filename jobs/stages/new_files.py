"""Which files of the sources earlier runs have read already; the others alone are new."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.pipeline.stage import NothingNew
from refinery.publish import storage
from refinery.publish.runs import stages_of
from refinery.recipe import Recipe
from refinery.report.tables import Tables
from refinery.sources.config import SourceConfig
from refinery.sources.identities import HASH_CACHE, cache_key, known_hashes
from refinery.sources.listing import InputFile


def as_listed(recipe: Recipe) -> tuple[SourceConfig, ...]:
    """The sources, any of which may be empty where new files alone are read."""
    if not recipe.new_files_only:
        return recipe.sources
    return tuple(source.model_copy(update={"may_be_empty": True}) for source in recipe.sources)


def new_files(recipe: Recipe, files: Sequence[InputFile]) -> list[InputFile]:
    """The files that no run of `dedup.earlier` has read to their end, as they are now.

    A file that was written again counts as new; what it holds of old documents, dedup has seen.

    Raises:
        NothingNew: There is none.
    """
    if not recipe.new_files_only:
        return list(files)
    fresh = list(files)
    for output in recipe.dedup.earlier:
        fresh = _unread(fresh, output)
    if not fresh:
        raise NothingNew(f"all {len(files):,} files of the sources were read by earlier runs")
    return fresh


def _unread(files: Sequence[InputFile], output: str) -> list[InputFile]:
    """The files that a run has not read, or that have changed since."""
    run = stages_of(output)
    tables = Tables(run.store, {"ingest": run.record("ingest")})
    hashes, unhashed = set[str](), set[tuple[str, str]]()
    for row in tables.rows("ingest", "files", ("source", "file", "sha256")):
        if row["sha256"] is None:  # told apart by the store's version, or not readable
            unhashed.add((row["source"], row["file"]))
        else:
            hashes.add(row["sha256"])
    known = known_hashes(storage.join_uri(run.store.root, HASH_CACHE))
    return [
        file
        for file in files
        if (identity := known.get(cache_key(file))) is None
        or (identity not in hashes and (file.source, file.name) not in unhashed)
    ]
