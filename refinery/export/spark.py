"""The export of tables that one process should not hold: the same columns, written by executors."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from refinery.datasets.kept_texts import KeptTexts
from refinery.export.rows import EXPORT_SCHEMA, date_and_license
from refinery.fates import ordered_edits
from refinery.publish import storage
from refinery.text.edits import apply_edits, edits_of
from schemas.tables import CLEANED, EDITS, FETCHES, TOKENS, Table

OUTPUT_DDL = (
    "id string, url string, source string, lang string, title string, date string, license string, "
    "text string, scores map<string,double>, split string, meta string"
)


def kept_documents(spark: SparkSession, kept: KeptTexts) -> DataFrame:
    """The documents that a run kept, in the columns of the export; lazy."""

    def read(table: Table, *uris: str) -> DataFrame:
        found = [uri for uri in uris if storage.exists(uri)]
        rows = spark.read.schema(table.ddl)
        return rows.parquet(*found) if found else spark.createDataFrame([], table.ddl)

    return export_documents(
        read(CLEANED, kept.cleaned),
        read(TOKENS, kept.tokens),
        read(EDITS, *kept.edits),
        read(FETCHES, *filter(None, [kept.fetches])),
    )


def export_documents(
    cleaned: DataFrame, tokens: DataFrame, edits: DataFrame, fetches: DataFrame
) -> DataFrame:
    """Exactly the documents of `tokens`, edits applied once, with what their records say; lazy."""
    splits = tokens.select("doc_id", "split")
    order = Window.partitionBy("doc_id").orderBy(
        F.col("priority"), F.col("fetched_at").asc_nulls_last(), "file", "offset"
    )
    metas = (
        fetches.where("meta != '{}'")
        .withColumn("rank", F.row_number().over(order))
        .where("rank = 1")
        .select("doc_id", "meta")
    )
    names = ("doc_id", "url", "source", "lang", "title", "published", "text", "scores")
    rows = cleaned.select(F.col("doc_id").alias("id"), *names).join(splits, ["doc_id"], how="inner")
    rows = rows.join(metas, ["doc_id"], how="left")
    edited = rows.join(ordered_edits(edits), ["doc_id"], how="left").drop("doc_id")
    return edited.mapInArrow(_apply_batches, OUTPUT_DDL)


def _apply_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        texts = batch.column("text").to_pylist()
        for row, spans in enumerate(batch.column("edits").to_pylist()):
            if spans:
                texts[row] = apply_edits(texts[row], edits_of(spans))
        said = [date_and_license(meta) for meta in batch.column("meta").to_pylist()]
        days = batch.column("published").to_pylist()
        made = {
            "text": texts,
            "date": [day or other for day, (other, _) in zip(days, said, strict=True)],
            "license": [licence for _, licence in said],
        }
        columns = {
            name: pa.array(made[name], pa.string()) if name in made else batch.column(name)
            for name in EXPORT_SCHEMA.names
        }
        yield pa.RecordBatch.from_arrays(
            [columns[name] for name in EXPORT_SCHEMA.names], EXPORT_SCHEMA.names
        )
