"""Kept texts to token ids, edits applied once, in batches."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from refinery.publish import storage
from refinery.text.batch import spans_of_groups
from refinery.text.boundaries import sentence_starts, tokens_at, word_starts
from refinery.text.edits import apply_edits, edits_of
from refinery.text.list_columns import Ints, join_lists
from refinery.tokenizers.cached_bpe import PieceEncoder, cached_encoder

TOKENISE_VERSION = 3
OUTPUT_DDL = (
    "doc_id string, source string, is_heldout boolean, input_ids array<int>, num_tokens int, "
    "num_bytes bigint, word_starts array<int>, sentence_starts array<int>"
)
# An encoding holds ten times the bytes of its text: those of a whole batch would be 200 MB and more.
GROUP_CHARS = 1 << 19
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
    batch: pa.RecordBatch, encoder: PieceEncoder, marks: tuple[str, ...] = ()
) -> pa.RecordBatch:
    """Edit and encode one batch; lists of ids reach Arrow as one array, never as Python objects."""
    texts = edited_texts(batch)
    ids: list[Ints] = []
    starts: dict[str, list[Ints]] = {name: [] for name in marks}
    for span in spans_of_groups(texts, GROUP_CHARS):
        group = texts[span]
        if not marks:
            ids += encoder.encode(group)
            continue
        for text, (tokens, ends) in zip(group, encoder.encode_with_ends(group), strict=True):
            ids.append(tokens)
            for name in marks:
                starts[name].append(tokens_at(MARKS[name](text), ends))
    lists = join_lists(ids)
    sizes = [len(text.encode()) for text in texts]
    nothing = pa.nulls(len(texts), pa.list_(pa.int32()))
    return pa.RecordBatch.from_arrays(
        [
            batch.column("doc_id"),
            batch.column("source"),
            batch.column("is_heldout"),
            lists,
            lists.value_lengths(),
            pa.array(sizes, pa.int64()),
            *(join_lists(starts[name]) if name in marks else nothing for name in MARKS),
        ],
        ["doc_id", "source", "is_heldout", "input_ids", "num_tokens", "num_bytes", *MARKS],
    )


def edited_texts(batch: pa.RecordBatch) -> list[str]:
    """Texts of a batch with `text` and `edits`, the edits applied."""
    texts: list[str] = batch.column("text").to_pylist()
    spans = batch.column("edits")
    for row in np.flatnonzero(spans.is_valid().to_numpy(zero_copy_only=False)).tolist():
        texts[row] = apply_edits(texts[row], edits_of(spans[row].as_py()))
    return texts
