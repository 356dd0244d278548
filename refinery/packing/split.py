"""Training or held out: a pure function of (seed, doc_id), or of a cluster's first document."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from refinery.sources.selection import HASH_BITS, hash_share
from refinery.vocabulary.config import SplitConfig


def with_split(
    documents: DataFrame, clusters: DataFrame | None, config: SplitConfig, seed: int
) -> DataFrame:
    """Add `is_heldout`. A document outside of clusters stays on its side whatever is added.

    Args:
        documents: Rows with doc_id.
        clusters: (doc_id, first_id) of near-duplicates that stay: all of a cluster lie on the side
            of its first document. None where duplicates were removed.
        config: The share that is held out.
        seed: The recipe's seed.
    """
    share = int(config.heldout_fraction * 2**HASH_BITS)
    if clusters is None:
        return documents.withColumn("is_heldout", hash_share(seed + 1, "doc_id") < share)
    firsts = clusters.select("doc_id", "first_id")
    joined = documents.join(firsts, ["doc_id"], how="left").withColumn(
        "first_id", F.coalesce("first_id", "doc_id")
    )
    return joined.withColumn("is_heldout", hash_share(seed + 1, "first_id") < share).drop(
        "first_id"
    )
