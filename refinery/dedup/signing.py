"""Texts to signatures, in one pass over Arrow batches; edits of cleaning are applied on the way."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from refinery.dedup.config import DedupConfig
from refinery.dedup.signatures import ShingleSets, hash_bands, sign_sets
from refinery.text.edited import edited
from refinery.text.utf8 import GROUP_BYTES, Texts

SIGNED_COLUMNS = ("doc_id", "source", "text_sha256", "num_shingles", "bands", "shingles")
SIGNED_DDL = (
    "doc_id string, source string, text_sha256 string, num_shingles int, bands array<bigint>,"
    " shingles array<int>"
)


def with_spans(cleaned: DataFrame, edits: DataFrame | None) -> DataFrame:
    """(doc_id, source, text, spans) of documents that no rule dropped.

    `spans` are the edits of earlier stages, null where there are none. `None` for `edits` says that
    no stage wrote any: then texts are not shuffled for a join.
    """
    rows = cleaned.where("drop_reason is null").select("doc_id", "source", "text")
    span = "array<struct<start: int, end: int, replacement: string>>"
    if edits is None:
        return rows.withColumn("spans", F.lit(None).cast(span))
    spans = edits.groupBy("doc_id").agg(
        F.array_sort(F.collect_list(F.struct("start", "end", "replacement"))).alias("spans")
    )
    return rows.join(spans, ["doc_id"], how="left")


def sign(documents: DataFrame, config: DedupConfig) -> DataFrame:
    """(SIGNED_COLUMNS) of the rows of `with_spans`; `config` has its bands filled in."""
    run = functools.partial(_sign_batches, config=config)
    return documents.select("doc_id", "source", "text", "spans").mapInArrow(run, SIGNED_DDL)


def _sign_batches(
    batches: Iterator[pa.RecordBatch], *, config: DedupConfig
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        texts = edited(Texts.of_column(batch.column("text")), batch.column("spans"))
        for span in texts.groups(GROUP_BYTES):
            rows = batch.slice(span.start, span.stop - span.start)
            yield _sign_texts(
                texts.part(span), rows.column("doc_id"), rows.column("source"), config
            )


def _sign_texts(
    texts: Texts, doc_ids: pa.Array, sources: pa.Array, config: DedupConfig
) -> pa.RecordBatch:
    """Signed rows of one group."""
    sets = ShingleSets.of(texts, config.shingle_tokens)
    slots_DP = sign_sets(sets, config.num_bands * config.rows_per_band, config.seed)
    bands_DB = hash_bands(slots_DP, config.num_bands)
    offsets = sets.bounds.astype(np.int32)
    band_offsets = np.arange(len(sets) + 1, dtype=np.int32) * config.num_bands
    return pa.RecordBatch.from_arrays(
        [
            doc_ids,
            sources,
            pa.array([hashlib.sha256(text).hexdigest() for text in texts.pieces()], pa.string()),
            pa.array(np.diff(offsets)),
            pa.ListArray.from_arrays(pa.array(band_offsets), pa.array(bands_DB.reshape(-1))),
            pa.ListArray.from_arrays(pa.array(offsets), pa.array(sets.hashes.view(np.int32))),
        ],
        list(SIGNED_COLUMNS),
    )
