"""The sources of a folder: every file is in one source, and one alone, or is told of."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from refinery.sources.config import SourceConfig
from refinery.sources.folder_sources import FoundSources, find_sources
from refinery.sources.listing import list_files
from refinery.sources.yaml_text import yaml_text
from schemas.errors import SettingsError
from schemas.yaml_files import parse_yaml

WARC = b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 0\r\n\r\n\r\n\r\n"
ROW = json.dumps({"text": "A text of some words.", "url": "https://a.example/1"}).encode() + b"\n"


def write(root: Path, **files: bytes) -> None:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def read_files(found: FoundSources) -> list[str]:
    """Names of the files that the sources read, each as often as it is read."""
    sources = [
        SourceConfig.model_validate(
            {"name": s.name, "uri": s.uri, "format": s.format, "pattern": s.pattern or "**"}
        )
        for s in found.sources
    ]
    return sorted(file.uri for source in sources for file in list_files(source))


def test_every_file_is_read_once_or_told_of(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{
            "web/a.warc.gz": gzip.compress(WARC), "web/b.WARC": WARC, "web/c.arc": b"filedesc://x",
            "web/page.html": b"<html>x", "web/table.csv": b"text,url\nSome long words,x\n",
            "web/photo.png": b"\x89PNG", "rows/x.jsonl": ROW, "rows/deep/er/y.JSONL.GZ": gzip.compress(ROW),
            "loose.txt": b"words", "texts/one.txt": b"words", "texts/two.md": b"words",
            ".hidden": b"x",
        },
    )  # fmt: skip

    found = find_sources(tmp_path)

    told = [str(tmp_path / name) for name in ("web/photo.png", ".hidden")]
    everything = sorted(str(path) for path in tmp_path.rglob("*") if path.is_file())
    assert sorted([*read_files(found), *told]) == everything
    assert found.notes == (
        "left out, since nothing reads them: 1 .png",
        "left out, since their names begin with . or _: 1 file",
        "files ending in .txt lie beside the folders, too: those of texts are in the same source",
    )


def test_names_that_say_nothing_are_looked_into(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{
            "a/part-00000": ROW, "b/crawl.gz": gzip.compress(WARC), "c/misnamed.txt": WARC,
            "d/0001.json": ROW, "e/unknown": b"\x00\x01\x02",
        },
    )  # fmt: skip

    found = find_sources(tmp_path)

    assert {(s.name, s.format) for s in found.sources} == {
        ("a", "jsonl"), ("b", "warc"), ("c", "warc"), ("d", "jsonl"),
    }  # fmt: skip
    assert found.notes == ("left out, since nothing reads them: 1 (no ending)",)


def test_fields_are_looked_for_in_rows(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    table = pa.table(
        {
            "raw_content": ["<html><body><p>A page of words</p></body></html>"],
            "link": ["https://a.example/1"],
            "crawl_date": ["2024-05-01"],
            "lang": ["zh"],
        }
    )
    pq.write_table(table, tmp_path / "tables" / "part-0.parquet")
    write(tmp_path, **{"csv/a.csv": "编号,正文\n1,今天下雨了，路上没有人。\n".encode("gb18030")})
    write(tmp_path, **{"odd/a.jsonl": b'{"id": 1}\n'})

    found = {source.name: source for source in find_sources(tmp_path).sources}

    assert found["tables"].fields == {
        "text": "raw_content", "url": "link", "fetched_at": "crawl_date", "mime": "text/html",
    }  # fmt: skip
    assert found["tables"].comment == "1 file (.parquet); kept in meta: lang"
    assert found["csv"].fields == {"text": "正文", "url": None}
    assert found["odd"].fields == {}
    assert (
        "source odd: no field seems to hold text; set fields.text (found id)"
        in find_sources(tmp_path).notes
    )


def test_another_file_with_other_fields_is_told_of(tmp_path: Path) -> None:
    write(tmp_path, **{"a/1.jsonl": ROW, "a/2.jsonl": b'{"body": "Some other words."}\n'})

    assert find_sources(tmp_path).notes == (
        "source a: 2.jsonl: no field 'text' there; give such files a source of their own",
    )


def test_names_become_names_of_sources_that_differ(tmp_path: Path) -> None:
    write(
        tmp_path, **{f"{name}/a.txt": b"x" for name in ("语料", "文本", "My Docs", "my-docs", "no")}
    )

    assert sorted(source.name for source in find_sources(tmp_path).sources) == [
        "documents", "documents-2", "my-docs", "my-docs-2", "no",
    ]  # fmt: skip


def test_a_zip_is_looked_into(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/1.md", "words")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 cut")

    (source,) = find_sources(tmp_path).sources

    assert (source.format, source.pattern) == ("text", None)


def test_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, **{"a/x.pdf": b"%PDF-1.7"})

    with pytest.raises(SettingsError, match=r"found \{'\.pdf': 1\}"):
        find_sources(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "no", "On", "null", "~", "y", "1e3", "2024-01-01", "0x1f", "12:30", "a: b", "a #b", "a, b",
        "{a}", "[a]", "&a", "*a", "!a", "%a", "@a", "`a", "- a", "? a", "'a'", 'a"b', "a\\b", "a\nb",
        "a\tb", "a\u2028b", "a\x85b", "\ufeffa", " a ", "", "语料 一", "语料", "a.b/c-d_e", "/a/b c", ".inf",
        "a:", ":a", "=", "<<", "🙂", "C:\\x", "a\x7fb",
    ],
)  # fmt: skip
def test_any_text_is_read_back_from_yaml(text: str) -> None:
    import yaml

    line = f"{{key: {yaml_text(text)}, other: 1}}"

    assert parse_yaml(line) == {"key": text, "other": 1}
    assert yaml.safe_load(line) == {"key": text, "other": 1}


def _table(rows: int = 2) -> pa.Table:
    texts = [f"A text of some words, number {n}." for n in range(rows)]
    return pa.table({"body": texts, "link": [f"https://a.example/{n}" for n in range(rows)]})


def test_orc_files_are_read_by_spark(tmp_path: Path) -> None:
    write(tmp_path, **{"mixed/a.jsonl": ROW})
    for name in ("whole/part-0.orc", "mixed/deep/b.ORC", "days/day=1/part-0.snappy.orc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        orc.write_table(_table(), str(tmp_path / name))

    found = {one.name: one for one in find_sources(tmp_path).sources}

    assert {name: (one.format, one.spark) for name, one in found.items() if one.spark} == {
        "whole": ("spark", {"format": "orc"}),
        "days": ("spark", {"format": "orc"}),
        "mixed-orc": (
            "spark",
            {
                "format": "orc",
                "options": {"pathGlobFilter": "*.ORC", "recursiveFileLookup": "true"},
            },
        ),
    }
    assert found["whole"].fields == {"text": "body", "url": "link"}
    assert found["mixed-orc"].uri == str(tmp_path / "mixed")


@pytest.mark.parametrize(
    ("log", "kind"),
    [("_delta_log/00000.json", "delta"), ("metadata/v1.metadata.json", "iceberg")],
)
@pytest.mark.parametrize("inside", ["pages/", ""])
def test_a_table_with_a_log_is_one_source_of_spark_with_what_it_needs(
    tmp_path: Path, log: str, kind: str, inside: str
) -> None:
    write(tmp_path, **{f"{inside}{log}": b"{}"})
    (tmp_path / inside / "data").mkdir(parents=True)
    pq.write_table(_table(), tmp_path / inside / "data" / "removed.parquet")

    found = find_sources(tmp_path)

    (source,) = found.sources
    assert (source.format, source.spark) == ("spark", {"format": kind})
    assert source.uri == str(tmp_path / inside).rstrip("/")
    assert source.fields == {"text": "body", "url": "link"}
    (note,) = found.notes
    assert "--packages" in note
    assert kind.capitalize() in note


def test_a_link_to_nothing_is_told_of(tmp_path: Path) -> None:
    write(tmp_path, **{"texts/a.txt": b"words"})
    (tmp_path / "texts" / "gone.txt").symlink_to("nowhere.txt")

    assert find_sources(tmp_path).notes == (
        "left out, since they are links to nothing or pipes: gone.txt",
    )
