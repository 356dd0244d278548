"""Whole files by Spark's `binaryFile`, forced on the file scheme: the rows of the streaming reader."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.stages import ingest as ingest_documents
from refinery.publish.store import Store
from refinery.recipe import Recipe
from refinery.sources import binary_files
from refinery.sources.binary_files import list_whole_files, needs_spark
from refinery.sources.config import ReadLimits, SourceConfig
from refinery.sources.listing import list_files
from refinery.sources.reading import read_files
from schemas.errors import SettingsError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def write_files(root: Path) -> None:
    (root / "deep er").mkdir(parents=True)
    (root / "a.jsonl").write_text('{"text": "one"}\n{"title": "no text"}\n')
    (root / "deep er" / "b.jsonl.gz").write_bytes(gzip.compress(b'{"text": "two"}\n' * 2))
    (root / "deep er" / "c.jsonl.gz").write_bytes(b"not gzip")
    (root / "left_out.txt").write_text('{"text": "three"}\n')


def source(uri: str, reader: str | None) -> SourceConfig:
    return SourceConfig.model_validate(
        {"name": "s", "uri": uri, "format": "jsonl", "pattern": "*.jsonl*", "reader": reader}
    )


def test_whole_files_give_the_rows_that_streaming_gives(
    spark: SparkSession, tmp_path: Path
) -> None:
    write_files(tmp_path / "in")
    streamed = source(str(tmp_path / "in"), "stream")
    whole = source(f"file://{tmp_path / 'in'}", "binary_file")
    plain = list_files(streamed)
    listed = list_whole_files(spark, whole)

    rows = [
        sorted(
            tuple(row)
            for row in read_files(spark, files, [one], ReadLimits())
            .drop("message")
            .fillna("", ["doc_id", "reason", "sha256"])
            .selectExpr(
                "table",
                "doc_id",
                "file",
                "offset",
                "string(payload)",
                "reason",
                "priority",
                "sha256",
            )
            .collect()
        )
        for files, one in ((plain, streamed), (listed, whole))
    ]

    assert [(f.name, f.size) for f in listed] == [(f.name, f.size) for f in plain]
    assert rows[0] == rows[1]
    assert [row[0] for row in rows[0]] == ["fetches"] * 3 + ["files"] * 3 + ["rejects"] * 2


def test_a_large_file_is_refused_by_name(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path)
    monkeypatch.setattr(binary_files, "MOST_BYTES", 20)

    with pytest.raises(SettingsError, match=r"a\.jsonl has 37 bytes.*at most 20"):
        list_whole_files(spark, source(f"file://{tmp_path}", "binary_file"))


def test_who_opens_the_files_is_no_part_of_the_fingerprint(
    spark: SparkSession, tmp_path: Path
) -> None:
    write_files(tmp_path / "in")
    store = Store(str(tmp_path / "tables"))
    recipes = [
        Recipe(name="x", sources=(source(uri, reader),))
        for uri, reader in (
            (str(tmp_path / "in"), None), (f"file://{tmp_path / 'in'}", "binary_file"),
        )
    ]  # fmt: skip

    streamed, whole = (
        (ingest_documents.STAGE.settings(r), ingest_documents.STAGE.contents(r, store))
        for r in recipes
    )

    assert streamed == whole


def test_the_scheme_decides_where_the_recipe_does_not() -> None:
    assert needs_spark(source("vendor://bucket/x", None))
    assert not needs_spark(source("/a/b", None))
    assert not needs_spark(source("file:///a/b", None))
