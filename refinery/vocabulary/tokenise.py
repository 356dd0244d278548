"""Kept texts to token ids, edits applied once, in batches."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from tokenizers import Tokenizer

from refinery.edits import Edit, apply_edits
from refinery.publish import storage
from refinery.vocabulary.identity import cached_tokenizer

TOKENISE_VERSION = 1
OUTPUT_DDL = (
    "doc_id string, source string, is_heldout boolean, input_ids array<int>, num_tokens int, "
    "num_bytes bigint"
)


def tokenise(texts: DataFrame, tokenizer_uri: str) -> DataFrame:
    """Ids of each text; `texts` carries doc_id, source, is_heldout, text, edits."""
    run = functools.partial(_tokenise_batches, uri=tokenizer_uri)
    return texts.select("doc_id", "source", "is_heldout", "text", "edits").mapInArrow(
        run, OUTPUT_DDL
    )


def _tokenise_batches(batches: Iterator[pa.RecordBatch], *, uri: str) -> Iterator[pa.RecordBatch]:
    tokenizer = cached_tokenizer(storage.local_copy(uri))
    for batch in batches:
        yield tokenise_batch(batch, tokenizer)


def tokenise_batch(batch: pa.RecordBatch, tokenizer: Tokenizer) -> pa.RecordBatch:
    """Edit and encode one batch; lists of ids reach Arrow as one array, never as Python objects."""
    texts = _edited_texts(batch)
    encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    arrays = [np.asarray(encoding.ids, np.int32) for encoding in encodings]
    lengths = np.array([len(ids) for ids in arrays], np.int32)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    flat = np.concatenate([*arrays, np.zeros(0, np.int32)])
    sizes = [len(text.encode()) for text in texts]
    return pa.RecordBatch.from_arrays(
        [
            batch.column("doc_id"),
            batch.column("source"),
            batch.column("is_heldout"),
            pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat)),
            pa.array(lengths),
            pa.array(sizes, pa.int64()),
        ],
        ["doc_id", "source", "is_heldout", "input_ids", "num_tokens", "num_bytes"],
    )


def _edited_texts(batch: pa.RecordBatch) -> list[str]:
    texts: list[str] = batch.column("text").to_pylist()
    spans = batch.column("edits")
    for place in np.flatnonzero(spans.is_valid().to_numpy(zero_copy_only=False)).tolist():
        edits = [Edit(e["start"], e["end"], e["replacement"]) for e in spans[place].as_py()]
        texts[place] = apply_edits(texts[place], edits)
    return texts
