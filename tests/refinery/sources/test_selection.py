"""Ingestion in Spark: which fetch stays, what is taken down, and that nothing is lost."""

from pathlib import Path

import pytest

from refinery.sources.config import ExcludeConfig, ReadLimits, SourceConfig
from refinery.sources.listing import list_files
from refinery.sources.reading import read_files
from refinery.sources.selection import documents, find_refetches, is_excluded, sample_documents
from schemas.errors import SettingsError

LINES = '{"text": "same", "url": "http://a.example/"}\n{"text": "other", "url": "http://x.b.example/"}\n'


def source(name: str, folder: Path) -> SourceConfig:
    return SourceConfig(name=name, uri=str(folder), format="jsonl", pattern="*.jsonl")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "a.jsonl").write_text(LINES, encoding="utf-8")
    (second / "b.jsonl").write_text(LINES + "broken\n", encoding="utf-8")
    return first, second


def test_the_first_source_wins_and_every_fetch_is_accounted_for(spark, folders) -> None:  # type: ignore[no-untyped-def]
    sources = [source("high", folders[0]), source("low", folders[1])]
    files = [file for one in sources for file in list_files(one)]

    rows = read_files(spark, files, sources, ReadLimits()).cache()
    fetches = rows.where("`table` = 'fetches'")
    refetches = find_refetches(fetches)
    kept = documents(fetches, refetches)
    excluded = kept.where(is_excluded(ExcludeConfig(domains=("b.example",))))

    assert (fetches.count(), refetches.count(), kept.count()) == (6, 4, 2)
    assert {(r.source, r.file, r.num_fetches) for r in kept.collect()} == {("high", "a.jsonl", 3)}
    assert [r.url for r in excluded.collect()] == ["http://x.b.example/"]
    assert [r.reason for r in rows.where("`table` = 'rejects'").collect()] == ["json:broken"]


def test_a_larger_sample_contains_the_smaller(spark) -> None:  # type: ignore[no-untyped-def]
    rows = spark.createDataFrame([(f"{i:032x}",) for i in range(400)], "doc_id string")

    small, large = (
        {r.doc_id for r in sample_documents(rows, share, 7).collect()} for share in (0.1, 0.3)
    )

    assert small < large
    assert 20 < len(small) < 65


def test_a_missing_folder_and_an_empty_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nothing at"):
        list_files(source("s", tmp_path / "absent"))
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(SettingsError, match=r"no file matches '\*\.jsonl'.*1 files there"):
        list_files(source("s", tmp_path))
