"""The sample that a tokenizer is trained on: by hash, within a byte budget."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from refinery.sources.selection import HASH_BITS, hash_share

# First twice the budget is drawn by hash, then that draw is sorted and cut exactly at the budget:
# documents differ in size, and only the small draw has to be put into one order.
OVERDRAW = 2


def sample_by_bytes(texts: DataFrame, *, budget: int, seed: int) -> DataFrame:
    """Documents in the order of their hashes until the budget is reached; nested in the budget.

    One action: the sum of all bytes. The last document may exceed the budget.

    Args:
        texts: Rows with doc_id and text.
        budget: Bytes of UTF-8.
        seed: Seed of the hash that orders the documents.
    """
    total = texts.agg(F.sum(F.octet_length("text")).alias("bytes")).first()
    total_bytes = (total["bytes"] if total else None) or 0
    if total_bytes <= budget:
        return texts
    border = min(2**HASH_BITS, OVERDRAW * budget * 2**HASH_BITS // total_bytes)
    share = hash_share(seed, "doc_id")
    before = Window.orderBy("share", "doc_id").rowsBetween(Window.unboundedPreceding, -1)
    chosen = (
        texts.select("doc_id", share.alias("share"), F.octet_length("text").alias("size"))
        .where(F.col("share") < border)
        .withColumn("before", F.coalesce(F.sum("size").over(before), F.lit(0)))
        .where(F.col("before") < budget)
        .select("doc_id")
    )
    return texts.join(F.broadcast(chosen), ["doc_id"], how="left_semi")
