"""Rows of JSONL, CSV and Parquet: odd values, charsets and shapes cost nothing but themselves."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from refinery.sources.config import FieldMapping
from refinery.sources.csv_files import read_csv
from refinery.sources.forms import form_of, other_form
from refinery.sources.hashing import HashedStream
from refinery.sources.json_files import read_jsonl
from refinery.sources.parquet_files import read_parquet
from refinery.sources.record import Broken, Fetch
from refinery.sources.rows import row_outcome, take_field, to_meta, utc_time
from refinery.sources.text_lines import decode_line, plain_stream
from schemas.fingerprints import sha256_hex
from tests.support.reading import rows_of, source_of

CHINESE = "这家旅馆就在湖边，推开窗就能看见芦苇，老板娘很热情，还借给我们一条小船。"


def texts(data: bytes, **settings: Any) -> list[str]:
    rows = read_jsonl(io.BytesIO(data), fields=FieldMapping(**settings), max_bytes=10_000)
    return [row.payload.decode() for row in rows if isinstance(row, Fetch)]


def reasons(data: bytes) -> list[str]:
    rows = read_jsonl(io.BytesIO(data), fields=FieldMapping(), max_bytes=10_000)
    return [row.reason for row in rows if isinstance(row, Broken)]


def line(text: str) -> bytes:
    return json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize(
    "data",
    [
        b'[{"text": "one"}, {"text": "two"}]',
        b'[\n  {\n    "text": "one"\n  },\n  {"text": "two"}\n]\n',
        b'{\n  "text": "one"\n}\n{\n  "text": "two"\n}\n',
        b'\xef\xbb\xbf{"text": "one"}\r\n\r\n{"text": "two"}\r\n',
        '[{"text": "one"},\n{"text": "two"}]'.encode("utf-16"),
        '{"text": "one"}\n{"text": "two"}\n'.encode("utf-16-le"),
    ],
    ids=["array", "array in lines", "objects in lines", "mark and CR", "utf-16", "unmarked utf-16"],
)
def test_json_comes_in_several_shapes(data: bytes) -> None:
    assert texts(data) == ["one", "two"]


def test_a_damaged_value_of_an_array_costs_itself() -> None:
    data = b'[\n{"text": "one"},\n{"text": bad, "n": 1, "more": "of it"},\n{"text": "three"}\n]'

    assert texts(data) == ["one", "three"]
    assert reasons(data) == ["json:broken"]


def test_an_array_in_one_line_is_read_piece_by_piece() -> None:
    rows = [{"text": f"{number} {CHINESE}"} for number in range(5000)]
    data = json.dumps(rows, ensure_ascii=False).encode()

    found = list(read_jsonl(io.BytesIO(data), fields=FieldMapping(), max_bytes=1000))

    assert [row.payload.decode() for row in found if isinstance(row, Fetch)] == [
        row["text"] for row in rows
    ]


def test_a_value_beyond_the_bound_is_one_reject() -> None:
    data = b'[{"text": "one"},\n{"text": "' + b"x" * 200_000 + b'"},\n{"text": "three"}]'

    assert texts(data) == ["one", "three"]
    assert reasons(data) == ["document:too_large"]


def test_an_array_that_is_cut_gives_what_is_whole() -> None:
    data = b'[\n{"text": "one"},\n{"text": "two"},\n{"text": "thr'

    assert texts(data) == ["one", "two"]
    assert reasons(data) == ["json:broken"]


def test_one_bad_byte_is_replaced_and_noted() -> None:
    data = line("Caf" + CHINESE).replace("湖".encode(), b"\xff")

    (row,) = read_jsonl(io.BytesIO(data), fields=FieldMapping(), max_bytes=1000)

    assert isinstance(row, Fetch)
    assert row.payload.decode() == "Caf" + CHINESE.replace("湖", "\ufffd")
    assert "byte 31 of the line is not utf-8; 1 characters became" in row.meta


def test_a_line_of_bad_bytes_is_a_reject_with_its_number() -> None:
    rows = list(
        read_jsonl(
            io.BytesIO(line("good") + b'{"text": "' + bytes(range(0x80, 0x90)) * 9 + b'"}\n'),
            fields=FieldMapping(), max_bytes=1000, charset="utf-8",
        )
    )  # fmt: skip

    assert [(r.offset, r.reason) for r in rows if isinstance(r, Broken)] == [
        (1, "text:undecodable")
    ]


@pytest.mark.parametrize("encoding", ["gb18030", "big5", "utf-16", "utf-16-be", "hz"])
def test_lines_of_any_charset_are_read(encoding: str) -> None:
    text = (
        CHINESE if encoding != "big5" else "今天的天氣很好，我們去公園散步，看見許多人在那裡運動。"
    )

    assert texts((line(text).decode() * 20).encode(encoding)) == [text] * 20


def test_a_charset_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes('{"text": "cafés"}\n'.encode("cp1250"))

    (row,) = rows_of(source_of(tmp_path, "jsonl", charset="windows-1250"))["fetches"]

    assert row["payload"].decode() == "cafés"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
def test_cells_of_any_charset_are_read(encoding: str) -> None:
    data = f'text,网址\r\n"{CHINESE},\r\n湖",http://a/\r\n{CHINESE},http://b/\r\n'.encode(encoding)
    fields = FieldMapping(url="网址")

    rows = list(read_csv(io.BytesIO(data), delimiter=",", fields=fields, max_bytes=1000))

    assert [(r.payload.decode(), r.url) for r in rows if isinstance(r, Fetch)] == [
        (f"{CHINESE},\r\n湖", "http://a/"), (CHINESE, "http://b/"),
    ]  # fmt: skip


def test_a_row_whose_text_is_not_quoted_is_a_reject() -> None:
    data = b"text,url\nfirst, and more,http://a/\nsecond,http://b/\nthird,http://c/,,\n"

    rows = list(read_csv(io.BytesIO(data), delimiter=",", fields=FieldMapping(), max_bytes=99))

    assert [row.payload for row in rows if isinstance(row, Fetch)] == [b"second", b"third"]
    assert [(row.offset, row.reason) for row in rows if isinstance(row, Broken)] == [
        (0, "row:cells")
    ]


def test_utf_8_with_a_bad_byte_is_not_taken_for_another_charset() -> None:
    text = "Été à Noël, un élève préféra l'école. "
    data = line(text) * 3 + line("caf\u00e9").replace(b"caf", b"c\xffaf")

    assert texts(data) == [text] * 3 + ["c\ufffdafé"]


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, bz2.compress, lzma.compress, zstandard.compress],
    ids=["gz", "bz2", "xz", "zst"],
)
def test_compression_is_told_by_the_bytes(pack: Any, tmp_path: Path) -> None:
    halves = pack(line("one")) + pack(line("two"))
    for name in ("A.JSONL.GZ", "b.jsonl"):
        (tmp_path / name).write_bytes(halves)

    fetches = rows_of(source_of(tmp_path, "jsonl"))["fetches"]

    assert [row["payload"] for row in fetches] == [b"one", b"two"] * 2


def test_a_cut_frame_of_zstandard_is_said(tmp_path: Path) -> None:
    whole = zstandard.compress(b"".join(line(f"{i * 7919**5}") for i in range(20_000)))
    (tmp_path / "a.jsonl.zst").write_bytes(whole[: len(whole) // 2])

    tables = rows_of(source_of(tmp_path, "jsonl"))

    assert tables["fetches"]
    assert "archive:broken" in [row["reason"] for row in tables["rejects"]]


@pytest.mark.parametrize("pack", [lzma.compress, bz2.compress, gzip.compress])
def test_a_cut_file_is_said_behind_its_lines(pack: Any, tmp_path: Path) -> None:
    whole = pack(b"".join(line(f"{i * 7919**5}") for i in range(2000)))
    (tmp_path / "a.jsonl").write_bytes(whole[:-9])

    tables = rows_of(source_of(tmp_path, "jsonl"))

    assert "archive:broken" in [row["reason"] for row in tables["rejects"]]


def test_a_folder_that_cannot_be_listed_is_a_reject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_bytes(line("one"))
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def closed(path: str) -> Any:
        if path.endswith("closed"):
            raise PermissionError(path)
        return scan(path)

    monkeypatch.setattr("os.scandir", closed)

    tables = rows_of(source_of(tmp_path, "jsonl"))

    assert len(tables["fetches"]) == 1
    assert [(row["file"], row["reason"]) for row in tables["rejects"]] == [
        ("closed", "file:unreadable")
    ]


def test_dots_lead_into_nested_fields() -> None:
    row = {"data": {"text": "one", "lang": "en"}, "a.b": 1}

    fetch = row_outcome(row, 0, FieldMapping(text="data.text", url="data.url"), 100)

    assert isinstance(fetch, Fetch)
    assert (fetch.payload, fetch.meta) == (b"one", '{"a.b": 1, "data": {"lang": "en"}}')
    assert take_field({"a.b": 1}, "a.b") == 1


def test_a_row_without_text_names_the_fields_it_has() -> None:
    broken = row_outcome({"content": "one", "url": "x"}, 3, FieldMapping(), 100)

    assert broken == Broken(
        offset=3, reason="row:no_text", message="no text field 'text': fields found: content, url"
    )


def test_metadata_is_json_for_any_reader() -> None:
    odd = {"n": float("nan"), "b": b"\xff", "at": datetime(2024, 1, 1), 1: {"x": [float("inf")]}}

    assert json.loads(to_meta(odd), parse_constant=pytest.fail) == {
        "n": "nan", "b": "\ufffd", "at": "2024-01-01 00:00:00", "1": {"x": ["inf"]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-02T03:04:05+01:00", "2024-01-02 02:04:05"),
        ("0001-01-01T00:00:00+08:00", "None"),
        ("9999-12-31T23:59:59-08:00", "None"),
        ("10000-01-01", "None"),
    ],
)
def test_a_time_beyond_the_calendar_is_none(text: str, moment: str) -> None:
    assert str(utc_time(text)) == moment


ODD_COLUMNS = {
    "nanoseconds taken for microseconds": pa.array([1_700_000_000_000_000_000] * 2, pa.timestamp("us")),
    "before the calendar": pa.array([-(10**17)] * 2, pa.timestamp("us")),
    "a zone that nobody knows": pa.array([0, 1], pa.timestamp("us", tz="Nowhere/Land")),
    "a day beyond the calendar": pa.array([10**7] * 2, pa.date32()),
    "nanoseconds": pa.array([1, 2], pa.timestamp("ns")),
    "a long time": pa.array([2**62] * 2, pa.duration("s")),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_COLUMNS)
def test_an_odd_value_of_a_column_costs_no_row(name: str) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["one", "two"], "odd": ODD_COLUMNS[name]}), buffer)

    rows = list(read_parquet(buffer, fields=FieldMapping(fetched_at="odd"), max_bytes=100))
    others = list(read_parquet(buffer, fields=FieldMapping(), max_bytes=100))

    assert [row.payload for row in rows if isinstance(row, Fetch)] == [b"one", b"two"]
    assert [sorted(json.loads(r.meta)) for r in others if isinstance(r, Fetch)] == [["odd"]] * 2


def test_a_damaged_row_group_costs_itself() -> None:
    buffer = io.BytesIO()
    rows = pa.table({"text": [f"{i}" * 50 for i in range(300)]})
    pq.write_table(rows, buffer, row_group_size=100, compression="zstd", use_dictionary=False)
    data = bytearray(buffer.getvalue())
    chunk = pq.ParquetFile(buffer).metadata.row_group(1).column(0)
    start = chunk.data_page_offset
    data[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size

    found = list(read_parquet(io.BytesIO(bytes(data)), fields=FieldMapping(), max_bytes=1000))

    assert [r.offset for r in found if isinstance(r, Fetch)] == [*range(100), *range(200, 300)]
    assert [(r.offset, r.reason) for r in found if isinstance(r, Broken)] == [
        (100, "archive:broken")
    ]


@pytest.mark.parametrize(
    ("head", "form", "declared", "other"),
    [
        (b"PAR1\x15\x04", "parquet", "jsonl", "parquet"),
        (b"PAR1\x15\x04", "parquet", "parquet", None),
        (b"\x1f\x8b\x08", "gzip", "jsonl", None),
        (b"\x1f\x8b\x08", "gzip", "parquet", "gzip"),
        (b'{"text": 1}', None, "parquet", "json"),
        (b"WARC/1.0\r\n", "warc", "text", "warc"),
        (b"ORCHIDS are plants", None, "text", None),
        (b"BZhang said", None, "text", None),
    ],
)
def test_a_file_of_another_form_is_one_reject(
    head: bytes, form: str | None, declared: str, other: str | None
) -> None:
    assert form_of(head) == form
    assert other_form(head, declared) == other


def test_what_a_reader_raises_is_a_reject_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_bytes(line("one") + line("two"))
    calls = iter([None])

    def raises(row: dict[str, Any], *rest: Any, **named: Any) -> Fetch:
        if next(calls, StopIteration) is StopIteration:
            raise RuntimeError("odd")
        return Fetch(payload=b"one", offset=0, mime="text/plain")

    monkeypatch.setattr("refinery.sources.json_files.row_outcome", raises)

    tables = rows_of(source_of(tmp_path, "jsonl"))

    assert len(tables["fetches"]) == 1
    (reject,) = tables["rejects"]
    assert (reject["file"], reject["offset"], reject["reason"], reject["message"]) == (
        "a.jsonl", 0, "file:reader_error", "RuntimeError: odd",
    )  # fmt: skip
    (file,) = tables["files"]
    assert file["sha256"] == sha256_hex(line("one") + line("two"))


class CountingStream(io.BytesIO):
    """Counts the bytes that are read of it."""

    num_read = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.num_read += len(data)
        return data


@pytest.mark.parametrize("how", ["buffered", "spooled"])
def test_each_byte_is_read_once_and_hashed(how: str) -> None:
    data = bytes(range(256)) * 5000
    counting = CountingStream(data)
    hashed = HashedStream(counting)

    stream = getattr(hashed, how)()
    stream.read(1000)

    assert hashed.finish() == sha256_hex(data)
    assert counting.num_read == len(data)
    assert hashed.num_bytes == len(data)


def test_a_line_of_a_stream_is_decoded_by_itself() -> None:
    stream, encoding = plain_stream(io.BytesIO(b"plain\n" * 3), None)

    assert (stream.readline(), encoding) == (b"plain\n", None)
    assert decode_line(CHINESE.encode("gb18030"), 0, "gb18030").text == CHINESE


def test_a_reader_of_small_rows_leaves_other_readers_their_long_ones() -> None:
    before = csv.field_size_limit()

    list(read_csv(io.BytesIO(b"text\nabc\n"), delimiter=",", fields=FieldMapping(), max_bytes=10))

    assert csv.field_size_limit() >= before
