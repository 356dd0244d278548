"""Each entry of take-downs and address lists is counted, also one that meets no document."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from jobs.stages.address_matches import count_matches
from refinery.recipe import Recipe

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SOURCES = ({"name": "s", "uri": "/x", "format": "text"},)


def test_entries_are_counted_by_the_documents_that_they_took(
    spark: SparkSession, tmp_path: Path
) -> None:
    listed = tmp_path / "quarantine.jsonl"
    listed.write_text('{"doc_id": "a"}\n')
    recipe = Recipe.model_validate(
        {
            "name": "small", "sources": SOURCES,
            "exclude": {
                "doc_ids": ["b"], "domains": ["gone.example", "nowhere.example"],
                "documents": [str(listed)],
            },
            "clean": {"rules": {"urls": {"domains": ["ads.example"]}}},
        }
    )  # fmt: skip
    ledger = spark.createDataFrame(
        [
            ("a", "http://x.gone.example/", "excluded", ["excluded"]),
            ("b", "http://gone.example/", "excluded", ["excluded"]),
            ("c", "http://a.ads.example/", "url:domain", ["url:domain"]),
            ("d", "http://other.example/", None, []),
        ],
        "doc_id string, url string, drop_reason string, reasons array<string>",
    )
    context = SimpleNamespace(recipe=recipe, read_back=lambda table: ledger)

    assert count_matches(context) == {  # type: ignore[arg-type]
        "exclude: id b": 1,
        "exclude: domain gone.example": 2,
        "exclude: domain nowhere.example": 0,
        f"exclude: documents {listed}": 1,
        "rules.urls: domain ads.example": 1,
    }
