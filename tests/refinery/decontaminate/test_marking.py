from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from refinery.decontaminate.index import BenchmarkIndex
from refinery.decontaminate.index_file import write_index
from refinery.decontaminate.marking import (
    decide_documents,
    find_matches,
    frequent_grams,
    share_index,
)
from refinery.dedup.signing import with_spans

QUESTION = " ".join(f"q{i}" for i in range(13))


def test_hits_are_rows_with_spans_of_the_text_before_edits(
    spark: SparkSession, tmp_path: Path
) -> None:
    text = f"banner\nbefore {QUESTION} after"
    cleaned = spark.createDataFrame(
        [("a", "web", text, None), ("b", "web", "clean", None), ("c", "web", QUESTION, "rule")],
        "doc_id string, source string, text string, drop_reason string",
    )
    edits = spark.createDataFrame(
        [("a", 0, 7, "")], "doc_id string, start int, end int, replacement string"
    )
    config = DecontaminateConfig(
        benchmarks=(BenchmarkConfig(name="b", path="b", fields=("q",)),), action="drop"
    )
    path = tmp_path / "written"
    write_index(path, BenchmarkIndex.build([Item("b", "x", QUESTION)], config))
    index = share_index(spark, path, "test-marking")

    matches = find_matches(with_spans(cleaned, edits), index).localCheckpoint()
    rows = decide_documents(matches, index, config).collect()

    assert [(r.table, r.doc_id, r.item, r.action) for r in rows] == [
        ("contamination", "a", "x", "drop")
    ]
    assert text[rows[0].start : rows[0].end] == QUESTION
    assert frequent_grams(matches, 1).count() == 0
