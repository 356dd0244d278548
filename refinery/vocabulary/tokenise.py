"""Kept texts to token ids, edits applied once, in batches."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from tokenizers import Encoding, Tokenizer

from refinery.edits import Edit, apply_edits
from refinery.packing.boundaries import sentence_starts, tokens_at, word_starts
from refinery.publish import storage
from refinery.vocabulary.identity import cached_tokenizer

TOKENISE_VERSION = 2
OUTPUT_DDL = (
    "doc_id string, source string, is_heldout boolean, input_ids array<int>, num_tokens int, "
    "num_bytes bigint, word_starts array<int>, sentence_starts array<int>"
)
# What `tokenise` can find beside the ids, and where it begins in a text.
MARKS = {"word_starts": word_starts, "sentence_starts": sentence_starts}


def tokenise(texts: DataFrame, tokenizer_uri: str, marks: tuple[str, ...] = ()) -> DataFrame:
    """Ids of each text; `texts` carries doc_id, source, is_heldout, text, edits.

    Args:
        texts: Kept documents.
        tokenizer_uri: Folder.
        marks: Names of `MARKS`; the columns of others are null.
    """
    run = functools.partial(_tokenise_batches, uri=tokenizer_uri, marks=marks)
    return texts.select("doc_id", "source", "is_heldout", "text", "edits").mapInArrow(
        run, OUTPUT_DDL
    )


def _tokenise_batches(
    batches: Iterator[pa.RecordBatch], *, uri: str, marks: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    tokenizer = cached_tokenizer(storage.local_copy(uri))
    for batch in batches:
        yield tokenise_batch(batch, tokenizer, marks)


def tokenise_batch(
    batch: pa.RecordBatch, tokenizer: Tokenizer, marks: tuple[str, ...] = ()
) -> pa.RecordBatch:
    """Edit and encode one batch; lists of ids reach Arrow as one array, never as Python objects."""
    texts = edited_texts(batch)
    # Offsets cost time: without marks they are left out.
    encode = tokenizer.encode_batch if marks else tokenizer.encode_batch_fast
    encodings = encode(texts, add_special_tokens=False)
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
            *(_marked(name, texts, encodings, is_wanted=name in marks) for name in MARKS),
        ],
        ["doc_id", "source", "is_heldout", "input_ids", "num_tokens", "num_bytes", *MARKS],
    )


def _marked(
    name: str, texts: list[str], encodings: list[Encoding], *, is_wanted: bool
) -> pa.ListArray:
    """Per text, the tokens at which something begins."""
    if not is_wanted:
        return pa.nulls(len(texts), pa.list_(pa.int32()))
    found = [
        tokens_at(MARKS[name](text), np.asarray(encoding.offsets, np.int64))
        for text, encoding in zip(texts, encodings, strict=True)
    ]
    offsets = np.concatenate(([0], np.cumsum([len(each) for each in found]))).astype(np.int32)
    flat = np.concatenate([*found, np.zeros(0, np.int64)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))


def edited_texts(batch: pa.RecordBatch) -> list[str]:
    """Texts of a batch with `text` and `edits`, the edits applied."""
    texts: list[str] = batch.column("text").to_pylist()
    spans = batch.column("edits")
    for place in np.flatnonzero(spans.is_valid().to_numpy(zero_copy_only=False)).tolist():
        edits = [Edit(e["start"], e["end"], e["replacement"]) for e in spans[place].as_py()]
        texts[place] = apply_edits(texts[place], edits)
    return texts
