"""Kept texts to token ids, edits applied once, in batches."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from refinery.publish import storage
from refinery.text.boundaries import sentence_starts, tokens_at, word_starts
from refinery.text.edited import edited
from refinery.text.list_columns import Ints, join_lists
from refinery.text.utf8 import Texts
from refinery.tokenizers.encoder import Encoder, cached_encoder

TOKENISE_VERSION = 3
OUTPUT_DDL = (
    "doc_id string, source string, is_heldout boolean, input_ids array<int>, num_tokens int, "
    "num_bytes bigint, word_starts array<int>, sentence_starts array<int>"
)
# Columns that `tokenise` can fill beside the ids, with the function that finds starts in a text.
MARKS = {"word_starts": word_starts, "sentence_starts": sentence_starts}


def tokenise(texts: DataFrame, tokenizer_uri: str, marks: tuple[str, ...] = ()) -> DataFrame:
    """Ids of each text; `texts` carries doc_id, source, is_heldout, text, edits.

    Args:
        texts: Rows of kept documents.
        tokenizer_uri: The tokenizer's folder.
        marks: Which of `MARKS` to find; the columns of the others are null.
    """
    run = functools.partial(_tokenise_batches, uri=tokenizer_uri, marks=marks)
    return texts.select("doc_id", "source", "is_heldout", "text", "edits").mapInArrow(
        run, OUTPUT_DDL
    )


def _tokenise_batches(
    batches: Iterator[pa.RecordBatch], *, uri: str, marks: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    encoder = cached_encoder(storage.local_copy(uri))
    for batch in batches:
        yield tokenise_batch(batch, encoder, marks)


def tokenise_batch(
    batch: pa.RecordBatch, encoder: Encoder, marks: tuple[str, ...] = ()
) -> pa.RecordBatch:
    """Edit and encode one batch; texts and ids stay in Arrow's arrays, unless starts are asked for."""
    texts = edited(Texts.of_column(batch.column("text")), batch.column("edits"))
    starts: dict[str, list[Ints]] = {name: [] for name in marks}
    if marks:
        found = encoder.encode_with_ends(texts)
        encoded = found.encoded
        for document in range(len(encoded)):
            text, ends = texts.text(document), found.ends(document)
            for name in marks:
                starts[name].append(tokens_at(MARKS[name](text), ends))
    else:
        encoded = encoder.encode(texts)
    lists = encoded.column()
    nothing = pa.nulls(len(lists), pa.list_(pa.int32()))
    return pa.RecordBatch.from_arrays(
        [
            batch.column("doc_id"),
            batch.column("source"),
            batch.column("is_heldout"),
            lists,
            lists.value_lengths(),
            pa.array(np.diff(texts.bounds_D), pa.int64()),
            *(join_lists(starts[name]) if name in marks else nothing for name in MARKS),
        ],
        ["doc_id", "source", "is_heldout", "input_ids", "num_tokens", "num_bytes", *MARKS],
    )
