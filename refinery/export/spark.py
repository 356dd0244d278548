"""The export of tables that one process should not hold: the same columns, written by executors."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from refinery.export.rows import EXPORT_SCHEMA
from refinery.fates import ordered_edits
from refinery.text.edits import apply_edits, edits_of

OUTPUT_DDL = (
    "id string, url string, source string, lang string, text string, scores map<string,double>, "
    "split string"
)


def export_documents(cleaned: DataFrame, tokens: DataFrame, edits: DataFrame) -> DataFrame:
    """Exactly the documents of `tokens`, edits applied once; lazy."""
    splits = tokens.select("doc_id", "split")
    rows = cleaned.select(
        F.col("doc_id").alias("id"), "doc_id", "url", "source", "lang", "text", "scores"
    ).join(splits, ["doc_id"], how="inner")
    edited = rows.join(ordered_edits(edits), ["doc_id"], how="left").drop("doc_id")
    return edited.mapInArrow(_apply_batches, OUTPUT_DDL)


def _apply_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        texts = batch.column("text").to_pylist()
        for row, spans in enumerate(batch.column("edits").to_pylist()):
            if spans:
                texts[row] = apply_edits(texts[row], edits_of(spans))
        columns = {name: batch.column(name) for name in EXPORT_SCHEMA.names if name != "text"}
        columns["text"] = pa.array(texts, pa.string())
        yield pa.RecordBatch.from_arrays(
            [columns[name] for name in EXPORT_SCHEMA.names], EXPORT_SCHEMA.names
        )
