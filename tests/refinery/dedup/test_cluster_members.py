"""The members of marked clusters, against union-find over edges and copies."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from refinery.dedup.clusters import cluster_members
from refinery.dedup.greedy import KEPT, greedy_keepers, smallest_members

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

import numpy as np

ORDER_DDL = "dump int, source_rank int, worse int, shorter int, doc_id string"


def test_members_are_those_of_edges_and_copies_together(spark: SparkSession) -> None:
    generator = random.Random(7)
    # Ids in another order than the keepers' order, which is the rank.
    ids = [f"{generator.getrandbits(64):016x}" for _ in range(120)]
    pairs = sorted({tuple(sorted(generator.sample(range(80), 2))) for _ in range(50)})
    ends = np.array(pairs, np.int64)
    keepers = greedy_keepers(120, ends[:, 0], ends[:, 1])
    names = np.argsort(np.argsort(ids))
    roots = smallest_members(120, names[ends[:, 0]], names[ends[:, 1]])
    by_name = sorted(ids)
    near = [
        (ids[d], ids[k], by_name[roots[names[d]]])
        for d, k in enumerate(keepers.tolist())
        if k != KEPT
    ]
    removed = {row[0]: row for row in near}
    # 80..119 copy the text of some document; a removed one's copies name its keeper.
    firsts = {d: generator.randrange(80) for d in range(80, 120)}
    copies = [
        (ids[d], removed[ids[f]][1], removed[ids[f]][2]) if ids[f] in removed else (ids[d], ids[f], ids[f])
        for d, f in firsts.items()
    ]  # fmt: skip
    duplicates = spark.createDataFrame(
        near + copies, "doc_id string, kept_id string, cluster string"
    )
    edges = spark.createDataFrame([(ids[a], ids[b]) for a, b in pairs], "left string, right string")
    order = spark.createDataFrame([(0, rank, 0, 0, i) for rank, i in enumerate(ids)], ORDER_DDL)

    found = {r.doc_id: (r.cluster, r.first_id) for r in cluster_members(duplicates, edges, order).collect()}  # fmt: skip

    links = np.array([*pairs, *firsts.items()], np.int64)
    first_of = smallest_members(120, links[:, 0], links[:, 1])
    groups = {r: [i for i in range(120) if first_of[i] == r] for r in set(first_of.tolist())}
    expected = {
        ids[i]: (min(ids[m] for m in members), ids[root])
        for root, members in groups.items()
        if len(members) > 1
        for i in members
    }
    assert found == expected
