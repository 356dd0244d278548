from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from refinery.fates import check_fates, decide_fates, kept_texts
from schemas.errors import ContractError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@pytest.fixture(scope="module")
def fates(spark: SparkSession) -> DataFrame:
    ledger = [
        ("kept", None),
        ("short", "length:short"),
        ("taken_down", "excluded"),
        ("twin", None),
        ("leaked", None),
        ("leaked_and_twin", None),
        ("cut_only", None),
    ]
    return decide_fates(
        ledger=spark.createDataFrame(
            [(doc_id, "web", reason) for doc_id, reason in ledger],
            "doc_id string, source string, drop_reason string",
        ),
        rejects=spark.createDataFrame(
            [("broken", "web", "timeout"), (None, "web", "gzip")],
            "doc_id string, source string, reason string",
        ),
        duplicates=spark.createDataFrame(
            [("twin", "minhash"), ("leaked_and_twin", "exact_text")],
            "doc_id string, method string",
        ),
        contamination=spark.createDataFrame(
            [
                ("leaked", "mmlu", "drop"),
                ("leaked", "gsm8k", "drop"),
                ("leaked_and_twin", "mmlu", "drop"),
                ("cut_only", "mmlu", "cut"),
            ],
            "doc_id string, benchmark string, action string",
        ),
    )


def test_each_document_has_the_fate_of_its_first_verdict(fates: DataFrame) -> None:
    found = {row["doc_id"]: (row["fate"], row["reason"]) for row in fates.collect()}

    assert fates.count() == len(found)
    assert found == {
        "kept": ("kept", None),
        "short": ("dropped", "length:short"),
        "taken_down": ("excluded", "excluded"),
        "twin": ("duplicate", "minhash"),
        "leaked": ("contaminated", "gsm8k"),
        "leaked_and_twin": ("duplicate", "exact_text"),
        "cut_only": ("kept", None),
        "broken": ("rejected", "timeout"),
    }


def test_edits_come_in_the_order_of_their_stages(spark: SparkSession, fates: DataFrame) -> None:
    cleaned = spark.createDataFrame(
        [("kept", "web", "abcdef"), ("twin", "web", "abcdef")],
        "doc_id string, source string, text string",
    )
    edits = spark.createDataFrame(
        [
            ("kept", 0, 1, "z", "decontaminate"),
            ("kept", 4, 5, "y", "clean"),
            ("kept", 2, 3, "x", "clean"),
            ("kept", 0, 2, "w", "dedup"),
        ],
        "doc_id string, start int, end int, replacement string, stage string",
    )

    (row,) = kept_texts(cleaned, fates, edits).collect()

    assert row["doc_id"] == "kept"
    assert [edit["replacement"] for edit in row["edits"]] == ["x", "y", "w", "z"]


def test_lost_document_is_a_broken_contract_with_all_terms() -> None:
    counts = {"kept": 2, "dropped": 1, "excluded": 1}

    check_fates(counts, 4)
    with pytest.raises(ContractError, match=r"5 documents != 2 kept \+ 1 dropped .* = 4"):
        check_fates(counts, 5)
