"""One dump after the other: each is compared with itself and with what earlier dumps kept.

So a decision never depends on later documents, and two dumps in two runs give the rows of one run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from refinery.dedup import marking
from refinery.dedup.components import Persist
from refinery.dedup.config import DedupConfig
from refinery.dedup.solving import solve
from schemas.errors import SettingsError
from schemas.settings import nearest

# Takes rows of doc_id; gives (doc_id, shingles) of those that earlier dumps kept.
Sets = Callable[[DataFrame], DataFrame]
KEPT, DUPLICATE = "kept", "duplicate"


@dataclass(frozen=True)
class Known:
    """What earlier dumps left: narrow rows with `fate`, all edges, and the sets of kept ones."""

    documents: DataFrame
    edges: DataFrame
    sets: Sets


@dataclass(frozen=True)
class Compared:
    """One dump: narrow rows with `fate`, its new edges and duplicates, and what was compared."""

    documents: DataFrame
    edges: DataFrame
    duplicates: DataFrame
    pairs: DataFrame
    members: DataFrame


def dumps_of(config: DedupConfig, sources: Sequence[str]) -> list[tuple[str, ...]]:
    """The names of the sources of each dump.

    Raises:
        SettingsError: The dumps name a source that is not there, or leave one out.
    """
    if config.dumps is None:
        return [tuple(sources)]
    named = [name for dump in config.dumps for name in dump]
    for name in named:
        if name not in sources:
            hint = nearest(name, set(sources))
            raise SettingsError(f"recipe.dedup.dumps: no source '{name}'{hint}")
    left_out = [name for name in sources if name not in named]
    if left_out:
        raise SettingsError(f"recipe.dedup.dumps: no dump holds {', '.join(left_out)}")
    return list(config.dumps)


def compare_dump(
    fresh: DataFrame, sets: DataFrame, known: Known | None, config: DedupConfig, persist: Persist
) -> Compared:
    """Decide the documents of one dump.

    Args:
        fresh: Narrow rows of `marking.fresh_documents`.
        sets: (doc_id, shingles) of these documents, and perhaps of others.
        known: What earlier dumps left; None where this is the first one.
        config: Settings with their bands filled in.
        persist: Writes rows where they survive the loss of an executor and reads them back.
    """
    earlier = None if known is None else _as_earlier(known.documents)
    marked = persist(marking.mark_exact(fresh, earlier))
    rivals = marked.where("exact is null").select(*fresh.columns)
    unseen = marked.where(f"coalesce(exact, '') != '{marking.SEEN}'").select(*fresh.columns)
    documents = unseen
    if known is not None:
        documents = _as_earlier(known.documents).unionByName(unseen)
        kept = known.documents.where(F.col("fate") == KEPT)
        rivals = rivals.unionByName(_as_earlier(kept))
    members = persist(marking.bucket_members(rivals))
    candidates = marking.candidate_pairs(members, config)
    same = marking.same_payload_pairs(rivals) if config.exact_bytes else None
    pairs = persist(marking.with_payload_pairs(candidates, same))
    compared = _sets_of(marking.pair_ends(pairs), sets, known)
    edges = persist(marking.verified_edges(pairs, compared, config))
    all_edges = edges if known is None else persist(edges.unionByName(known.edges))
    near = solve(all_edges, documents, config, persist)
    duplicates = persist(marking.duplicates(marked, near, all_edges))
    return Compared(_with_fate(unseen, duplicates), edges, duplicates, pairs, members)


def _as_earlier(documents: DataFrame) -> DataFrame:
    return documents.drop("fate").withColumn("fresh", F.lit(False))


def _sets_of(ends: DataFrame, sets: DataFrame, known: Known | None) -> DataFrame:
    """(doc_id, shingles) of the ends, each once: `sets` may hold earlier dumps' documents too."""
    if known is None:
        return sets.join(ends, ["doc_id"], how="left_semi")
    ids = known.documents.select("doc_id")
    own = sets.join(ends.join(ids, ["doc_id"], how="left_anti"), ["doc_id"], how="left_semi")
    return own.unionByName(known.sets(ends.join(ids, ["doc_id"], how="left_semi")))


def _with_fate(unseen: DataFrame, duplicates: DataFrame) -> DataFrame:
    gone = duplicates.select("doc_id", F.lit(DUPLICATE).alias("fate"))
    rows = unseen.drop("fresh").join(gone, ["doc_id"], how="left")
    return rows.withColumn("fate", F.coalesce("fate", F.lit(KEPT)))


def known_after(known: Known | None, compared: Compared, sets: DataFrame) -> Known:
    """What the next dump of the same run is compared with.

    Args:
        known: What this dump was compared with.
        compared: The dump's result.
        sets: (doc_id, shingles) of the documents of this run.
    """
    documents = [compared.documents] if known is None else [known.documents, compared.documents]
    edges = [compared.edges] if known is None else [known.edges, compared.edges]

    def find(ids: DataFrame) -> DataFrame:
        own = sets.join(ids, ["doc_id"], how="left_semi")
        return own if known is None else own.unionByName(known.sets(ids))

    return Known(
        reduce(DataFrame.unionByName, documents), reduce(DataFrame.unionByName, edges), find
    )
