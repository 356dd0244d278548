"""Apply the greedy rule to verified edges: in one task, by cluster, or in rounds.

The three ways give the same rows; which one runs depends on the number of edges alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from refinery.dedup.components import Persist, connected_components
from refinery.dedup.config import DedupConfig
from refinery.dedup.greedy import KEPT, greedy_keepers, smallest_members
from schemas.errors import PipelineError

ORDER = ("dump", "source_rank", "worse", "shorter", "doc_id")
# What a pair carries of its two ends: the order, and what the table of duplicates says of them.
END = (*ORDER, "source", "fresh")
SOLVED = ("doc_id", "source", "fresh", "kept_id", "kept_source", "cluster")
SOLVED_DDL = ", ".join(f"{name} {'boolean' if name == 'fresh' else 'string'}" for name in SOLVED)
CHUNK_ROWS = 100_000


def solve(edges: DataFrame, order: DataFrame, config: DedupConfig, persist: Persist) -> DataFrame:
    """The near duplicates by the greedy rule: SOLVED, a row for each document that goes.

    Args:
        edges: Verified pairs, `left` before `right` in the order.
        order: The `END` columns of every document.
        config: Up to `max_component_edges` edges are solved in one task; beyond, clusters are
            found in Spark and each is solved in a task, the largest ones in rounds.
        persist: Writes rows where they survive the loss of an executor and reads them back.
    """
    ranked = _ranked(edges, order)
    if edges.count() <= config.max_component_edges:
        return _solve_in_task(ranked.withColumn("component", F.lit("")).coalesce(1))
    clusters = persist(connected_components(edges, persist, max_rounds=config.max_rounds))
    named = clusters.select(F.col("doc_id").alias("left_id"), F.col("cluster").alias("component"))
    labelled = ranked.withColumn("left_id", F.col("left.doc_id")).join(
        named, ["left_id"], how="inner"
    )
    sizes = labelled.groupBy("component").count()
    large = persist(sizes.where(F.col("count") > config.max_component_edges).select("component"))
    small = labelled.join(F.broadcast(large), ["component"], how="left_anti")
    by_cluster = small.repartition("component").sortWithinPartitions("component")
    solved = _solve_in_task(by_cluster.select("left", "right", "component"))
    if large.isEmpty():
        return solved
    hard = labelled.join(F.broadcast(large), ["component"], how="left_semi")
    return solved.unionByName(_solve_in_rounds(hard, persist, max_rounds=config.max_rounds))


def _ranked(edges: DataFrame, order: DataFrame) -> DataFrame:
    """Pairs (left, right) of structs with the columns of END, which no later step joins again."""
    keys = order.select(F.struct(*END).alias("key"))
    left = keys.select(F.col("key.doc_id").alias("left_id"), F.col("key").alias("left"))
    right = keys.select(F.col("key.doc_id").alias("right_id"), F.col("key").alias("right"))
    ids = edges.select(F.col("left").alias("left_id"), F.col("right").alias("right_id"))
    joined = ids.join(left, ["left_id"], how="inner").join(right, ["right_id"], how="inner")
    return joined.select("left", "right")


def _solve_in_task(ranked: DataFrame) -> DataFrame:
    """Solve (left, right, component) whose components lie together in their partition."""
    return ranked.select(*_flat("left"), *_flat("right"), "component").mapInArrow(
        _solve_batches, SOLVED_DDL
    )


def _flat(side: str) -> list[Column]:
    return [F.col(f"{side}.{name}").alias(f"{side}_{name}") for name in END]


def _solve_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Solve whole components at a time: memory is bounded by the largest one, not by the partition."""
    waiting: list[pa.Table] = []
    rows = 0
    for batch in batches:
        table = pa.Table.from_batches([batch])
        waiting.append(table)
        rows += table.num_rows
        if rows < CHUNK_ROWS:
            continue
        whole = pa.concat_tables(waiting)
        component = whole.column("component")
        border = int(np.searchsorted(component.to_numpy(), component[-1].as_py(), side="left"))
        if border:
            yield _solve_table(whole.slice(0, border))
        waiting, rows = [whole.slice(border)], whole.num_rows - border
    if rows:
        yield _solve_table(pa.concat_tables(waiting))


def _solve_table(edges: pa.Table) -> pa.RecordBatch:
    keys: dict[tuple[Any, ...], int] = {}
    sides = []
    for side in ("left", "right"):
        columns = [edges.column(f"{side}_{name}").to_pylist() for name in END]
        sides.append([keys.setdefault(key, len(keys)) for key in zip(*columns, strict=True)])
    in_order = sorted(keys)
    rank = np.empty(len(keys), np.int64)
    for number, key in enumerate(in_order):
        rank[keys[key]] = number
    left, right = rank[sides[0]], rank[sides[1]]
    keepers = greedy_keepers(len(keys), left, right)
    ends = zip(*(key[len(ORDER) - 1 :] for key in in_order), strict=True)
    ids, sources, fresh = map(pa.array, ends)
    # Clusters are named by their smallest id, whatever the order of keepers.
    by_id = np.argsort(ids.to_numpy(zero_copy_only=False).astype(str))
    id_rank = np.empty(len(ids), np.int64)
    id_rank[by_id] = np.arange(len(ids))
    root = smallest_members(len(ids), id_rank[left], id_rank[right])
    gone = np.flatnonzero(keepers != KEPT)
    kept, first = keepers[gone], by_id[root[id_rank[gone]]]
    columns = [ids.take(gone), sources.take(gone), fresh.take(gone)]
    columns += [ids.take(kept), sources.take(kept), ids.take(first)]
    return pa.RecordBatch.from_arrays(columns, list(SOLVED))


def _solve_in_rounds(labelled: DataFrame, persist: Persist, *, max_rounds: int) -> DataFrame:
    """Solve (left, right, component) by rounds: documents that nothing undecided precedes stay.

    Each round removes the neighbours of those that are certain to stay. A chain of n documents
    takes about n rounds, random graphs about the logarithm of n.

    Raises:
        PipelineError: Documents are undecided after `max_rounds`.
    """
    edges = persist(
        labelled.select(
            F.col("left.doc_id").alias("first"),
            F.col("right.doc_id").alias("second"),
            "right.source",
            "right.fresh",
        ).distinct()
    )
    undecided, removed = edges, edges.select(F.col("second").alias("doc_id")).limit(0)
    for _ in range(max_rounds):
        if undecided.isEmpty():
            break
        certain = undecided.select("first").join(
            undecided.select(F.col("second").alias("first")), ["first"], how="left_anti"
        )
        gone = persist(
            undecided.join(certain.distinct(), ["first"], how="left_semi")
            .select(F.col("second").alias("doc_id"))
            .distinct()
        )
        removed = persist(removed.union(gone))
        undecided = persist(_without(_without(undecided, gone, "first"), gone, "second"))
    else:
        raise PipelineError(
            f"dedup: documents of a large cluster are undecided after {max_rounds} rounds; "
            "raise recipe.dedup.max_rounds or recipe.dedup.max_component_edges"
        )
    lost = removed.select(F.col("doc_id").alias("second"))
    backed = _without(edges, removed, "first").join(lost, ["second"], how="left_semi")
    firsts = labelled.select("left", F.col("left.doc_id").alias("first"), "component").distinct()
    return (
        backed.join(firsts, ["first"], how="inner")
        .groupBy(F.col("second").alias("doc_id"), "source", "fresh")
        .agg(F.min("left").alias("keeper"), F.min("component").alias("cluster"))
        .select(
            "doc_id",
            "source",
            "fresh",
            F.col("keeper.doc_id").alias("kept_id"),
            F.col("keeper.source").alias("kept_source"),
            "cluster",
        )
    )


def _without(edges: DataFrame, gone: DataFrame, column: str) -> DataFrame:
    return edges.join(gone.select(F.col("doc_id").alias(column)), [column], how="left_anti")
