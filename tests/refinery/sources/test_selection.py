"""Ingestion in Spark: which fetch stays, what is taken down, and that nothing is lost."""

from pathlib import Path

import pytest

from refinery.sources.config import ExcludeConfig, ReadLimits, SourceConfig
from refinery.sources.exclusions import excluded_by, is_excluded
from refinery.sources.listing import list_files
from refinery.sources.reading import read_files
from refinery.sources.selection import documents, find_refetches, sample_documents
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


ADDRESSES = {
    "https://example.com/page": "url", "https://EXAMPLE.com:443/page#part": "url",
    "http://user@example.com./page": "url", "https://www.example.com/page": None,
    "https://example.com/Page": None, "https://example.com/page?x=1": None,
    "https://www.blocked.example/a": "domain", "http://BLOCKED.example.:8080/": "domain",
    "https://notblocked.example/": None, "https://blocked.example.org/": None,
    "https://xn--fsq.cn/d": "domain", "https://例.cn/e": "domain", "https://a.ads.example/x": "list",
    "https://pages.example/bad/one": "list", "https://pages.example/good": None,
    "https://x.example/%e4%be%8b": "url", "https://x.example/例": "url", None: None, "no address": None,
}  # fmt: skip


def test_addresses_are_compared_in_their_normal_form(spark, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    hosts = tmp_path / "hosts.txt"
    hosts.write_text("0.0.0.0 ads.example\r\nhttps://pages.example/bad\r\n")
    config = ExcludeConfig(
        urls=("https://example.com/page", "https://x.example/例"),
        domains=("blocked.example", "例.cn"), lists=(str(hosts),),
    )  # fmt: skip
    rows = spark.createDataFrame([("id", url) for url in ADDRESSES], "doc_id string, url string")

    found = rows.select("url", is_excluded(config).alias("gone"), excluded_by(config).alias("by"))

    assert {
        row.url: row.by[0].split()[0] if row.gone else None for row in found.collect()
    } == ADDRESSES
