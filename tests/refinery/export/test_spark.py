from __future__ import annotations

from typing import TYPE_CHECKING

from refinery.export.spark import export_documents
from schemas.tables import EDITS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_spark_exports_kept_text_with_its_edits(spark: SparkSession) -> None:
    cleaned = spark.createDataFrame(
        [
            ("a", "u", "web", "en", "One", None, "one two", {"q": 0.5}),
            ("b", None, "web", "en", None, None, "dropped", {}),
            ("c", None, "书", "zh", None, "2020-01-02", "数据", None),
        ],
        "doc_id string, url string, source string, lang string, title string, "
        "published string, text string, scores map<string,double>",
    )
    tokens = spark.createDataFrame(
        [("a", "train"), ("c", "heldout")], "doc_id string, split string"
    )
    edits = spark.createDataFrame([("a", 0, 4, "", "clean", "rule")], EDITS.ddl)

    fetches = spark.createDataFrame(
        [
            ("a", '{"license": "later"}', 0, None, "f", 2),
            ("a", '{"license": "MIT", "date": "1999"}', 0, None, "f", 1),
            ("a", "{}", 0, None, "f", 0),
        ],
        "doc_id string, meta string, priority int, fetched_at timestamp, file string, offset bigint",
    )

    rows = export_documents(cleaned, tokens, edits, fetches).collect()

    said = {row["id"]: (row["title"], row["date"], row["license"]) for row in rows}
    assert said == {"a": ("One", "1999", "MIT"), "c": (None, "2020-01-02", None)}

    assert {(row["id"], row["text"], row["split"]) for row in rows} == {
        ("a", "two", "train"),
        ("c", "数据", "heldout"),
    }
