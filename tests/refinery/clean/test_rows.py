from __future__ import annotations

from typing import TYPE_CHECKING

from refinery.clean.cleaner import RULE_VERSIONS
from refinery.clean.config import CleanConfig
from refinery.clean.rows import INPUT_COLUMNS, clean_documents, normalize_documents
from refinery.filters.config import PiiConfig, RulesConfig
from refinery.filters.lines import LINES_VERSION
from refinery.filters.rules import RULES_VERSION
from refinery.normalize.config import NormalizeConfig

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SCHEMA = (
    "doc_id string, source string, url string, mime string, charset string, payload binary, "
    "file string, offset bigint, num_fetches int, is_excluded boolean"
)


def documents(spark: SparkSession) -> DataFrame:
    page = "<html><body><main><p>Write to bob@example.com 😂.</p></main></body></html>"
    rows = [
        ("1", "web", "http://a/", "text/html", None, page.encode(), "f", 0, 1, False),
        ("2", "web", "http://b/", "text/plain", None, b"\0\0binary", "f", 1, 2, False),
        ("3", "web", "http://c/", "text/plain", None, "今天很好。".encode(), "f", 2, 1, True),
    ]
    return spark.createDataFrame(rows, SCHEMA).select(*INPUT_COLUMNS)


def test_each_document_has_one_row_and_edits_stand_apart(spark: SparkSession) -> None:
    config = CleanConfig(rules=RulesConfig(pii=PiiConfig()))

    rows = clean_documents(documents(spark), config, {}).collect()

    by_table: dict[str, list] = {}
    for row in sorted(rows, key=lambda row: row["doc_id"]):
        by_table.setdefault(row["table"], []).append(row)
    assert {name: len(found) for name, found in by_table.items()} == {
        "cleaned": 2, "ledger": 2, "edits": 1, "rejects": 1,
    }  # fmt: skip
    first, excluded = by_table["cleaned"]
    assert first["text"] == "Write to bob@example.com face with tears of joy."
    assert first["counters"] == {"emoji": 1, "pii:email": 1}
    assert (excluded["drop_reason"], excluded["text"]) == ("excluded", "")
    versions = {row["rule_versions"] for row in by_table["ledger"]}
    assert versions == {RULE_VERSIONS}
    assert f"rules {RULES_VERSION}, lines {LINES_VERSION}" in RULE_VERSIONS
    (edit,) = by_table["edits"]
    assert (edit["start"], edit["end"], edit["replacement"]) == (9, 24, "<EMAIL>")
    assert (edit["stage"], edit["reason"]) == ("clean", "pii:email")
    assert by_table["rejects"][0]["reason"] == "page:binary"


def test_the_classifiers_text_is_the_cleaned_text(spark: SparkSession) -> None:
    config = CleanConfig(normalize=NormalizeConfig(emoji="remove"))

    rows = normalize_documents(documents(spark), config).collect()

    texts = {row["doc_id"]: row["text"] for row in rows}
    assert texts == {"1": "Write to bob@example.com .", "3": "今天很好。"}
