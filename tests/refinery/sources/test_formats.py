"""Names and first bytes of files: which format, which fields."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from refinery.sources.field_guess import guess_fields
from refinery.sources.files import COMPRESSED_ENDINGS
from refinery.sources.formats import format_of, format_of_members
from refinery.sources.peek import first_rows, sniff, sniff_file


@pytest.mark.parametrize(
    ("name", "kind", "variant", "compression"),
    [
        ("CC-MAIN-1.warc.gz", "warc", None, ".gz"),
        ("CC-MAIN-1.WARC.WET.GZ", "warc", None, ".gz"),
        ("a.warc.zst", "warc", None, ".zst"),
        ("a.arc.gz", "warc", "arc", ".gz"),
        ("A.JSONL.GZ", "jsonl", None, ".gz"),
        ("a.json.lz4", "jsonl", None, ".lz4"),
        ("part-0.parquet", "parquet", None, ""),
        ("a.tsv.gz", "csv", "tsv", ".gz"),
        ("2024.01.notes.txt.zst", "text", None, ".zst"),
        ("READ.ME/a.htm", "html", None, ""),
        ("a.zip", None, "zip", ""),
        ("a.gz", None, None, ".gz"),
        ("Makefile", None, None, ""),
        ("a.v1.2/Makefile", None, None, ""),
    ],
)
def test_a_name_says_its_format(
    name: str,
    kind: str | None,
    variant: str | None,
    compression: str,
) -> None:
    found = format_of(name)

    assert (found.format, found.variant, found.compression) == (kind, variant, compression)


def test_a_zip_is_what_most_of_its_members_are() -> None:
    assert format_of_members(["a/1.html", "a/2.htm", "a/x.css", "b.txt"]) == "html"
    assert format_of_members(["a.md", "b.txt", "c.html"]) == "text"
    assert format_of_members(["a.png"]) is None


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"PAR1\x15\x04", "parquet"),
        (b"ORC\x11", "orc"),
        (b"WARC/1.0\r\n", "warc"),
        (b"\xef\xbb\xbf \n<!DOCTYPE html><p>", "html"),
        (b'{"text": "x"}\n', "jsonl"),
        (b'{"text": "x"', None),
        (b"{not json}\n", None),
        (b"Some words.\n", None),
        (b"", None),
    ],
)
def test_first_bytes_say_what_is_certain(head: bytes, form: str | None) -> None:
    assert sniff(head) == form


COMPRESS = {
    "": bytes, ".gz": gzip.compress, ".zst": zstandard.compress, ".bz2": bz2.compress,
    ".xz": lzma.compress,
}  # fmt: skip


@pytest.mark.parametrize("ending", sorted(set(COMPRESS) & {"", *COMPRESSED_ENDINGS}))
def test_compressed_rows_are_looked_into(ending: str) -> None:
    lines = b'\n{"text": "one"}\n{"text": "two", "more": 1}\n'
    data = io.BytesIO(COMPRESS[ending](lines))

    assert sniff_file(data, f"a.jsonl{ending}") == "jsonl"
    assert first_rows(data, f"a.jsonl{ending}", "jsonl") == [
        {"text": "one"},
        {"text": "two", "more": 1},
    ]


def test_other_rows_are_looked_into() -> None:
    chinese = io.BytesIO("编号\t正文\n1\t今天下雨了\n".encode("gb18030"))
    array = io.BytesIO(json.dumps([{"t": 1}, {"t": 2}], indent=1).encode())
    table = io.BytesIO()
    # Nanoseconds written as microseconds: a year that Python does not have.
    times = pa.array([1_700_000_000_000_000_000], pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["x"], "time": times}), table)

    assert first_rows(chinese, "a.tsv", "csv") == [{"编号": "1", "正文": "今天下雨了"}]
    assert first_rows(array, "a.json", "jsonl") == [{"t": 1}, {"t": 2}]
    assert first_rows(table, "a.parquet", "parquet") == [{"text": "x", "time": None}]
    assert first_rows(io.BytesIO(b"no parquet"), "a.parquet", "parquet") == []


LONG = "A text of many words that goes on for a while."


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"text": LONG, "url": "https://a.example/", "date": "2024-05-01"}, ("text", "url", "date")),
        ({"raw_content": LONG, "id": "x"}, ("raw_content", None, None)),
        ({"标题": "雨", "正文": LONG, "网址": "http://a.cn/1"}, ("正文", "网址", None)),
        ({"data": {"text": LONG, "meta": {"link": "https://a.example/"}}}, ("data.text", "data.meta.link", None)),
        ({"a": "x", "b": LONG * 3, "c": "https://a.example/" + "y" * 999}, ("b", "c", None)),
        ({"text": 5, "comment": LONG}, ("comment", None, None)),
        ({"id": "1", "n": "2"}, (None, None, None)),
    ],
)  # fmt: skip
def test_fields_are_guessed_by_name_and_value(
    row: dict[str, Any], expected: tuple[str | None, ...]
) -> None:
    found = guess_fields([row])

    assert (found.text, found.url, found.date) == expected


def test_pages_and_what_stays_beside_the_text_are_seen() -> None:
    rows = [{"html": f"<html><body><p>{LONG}</p>", "Lang": "en", "license": "CC-BY-4.0"}]

    found = guess_fields(rows)

    assert found.is_html
    assert (found.text, found.language, found.licence) == ("html", "Lang", "license")
    assert not guess_fields([{"text": "x < 5 and y > 3"}]).is_html
