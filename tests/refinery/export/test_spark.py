from __future__ import annotations

from typing import TYPE_CHECKING

from refinery.export.spark import export_documents
from schemas.tables import EDITS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_spark_exports_kept_text_with_its_edits(spark: SparkSession) -> None:
    cleaned = spark.createDataFrame(
        [
            ("a", "u", "web", "en", "one two", {"q": 0.5}),
            ("b", None, "web", "en", "dropped", {}),
            ("c", None, "书", "zh", "数据", None),
        ],
        "doc_id string, url string, source string, lang string, text string, "
        "scores map<string,double>",
    )
    tokens = spark.createDataFrame(
        [("a", "train"), ("c", "heldout")], "doc_id string, split string"
    )
    edits = spark.createDataFrame([("a", 0, 4, "", "clean", "rule")], EDITS.ddl)

    rows = export_documents(cleaned, tokens, edits).collect()

    assert {(row["id"], row["text"], row["split"]) for row in rows} == {
        ("a", "two", "train"),
        ("c", "数据", "heldout"),
    }
