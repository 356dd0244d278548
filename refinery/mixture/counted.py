"""Counted tokens per source, from the published `tokens` table, without Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from refinery.publish import storage


@dataclass(frozen=True)
class CountedTokens:
    """Training documents and tokens by source, each source of the recipe named."""

    documents: dict[str, int]
    tokens: dict[str, int]


def count_tokens(table_uri: str, sources: Sequence[str]) -> CountedTokens:
    """Sum the training documents of a `tokens` table; ids are not read."""
    documents, tokens = dict.fromkeys(sources, 0), dict.fromkeys(sources, 0)
    system, path = storage.file_system(table_uri)
    rows = ds.dataset(path, format="parquet", filesystem=system)
    for batch in rows.to_batches(
        columns=["source", "num_tokens"], filter=pc.field("split") == "train"
    ):
        sums = (
            pa.Table.from_batches([batch])
            .group_by("source")
            .aggregate([("num_tokens", "sum"), ("num_tokens", "count")])
        )
        for row in sums.to_pylist():
            name = row["source"]
            tokens[name] = tokens.get(name, 0) + row["num_tokens_sum"]
            documents[name] = documents.get(name, 0) + row["num_tokens_count"]
    return CountedTokens(documents, tokens)
