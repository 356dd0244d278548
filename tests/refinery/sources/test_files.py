import gzip
import io
import zipfile
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from fastwarc.stream_io import Lz4Writer

from refinery.sources import peek
from refinery.sources.config import FieldMapping, ReadLimits, SourceConfig
from refinery.sources.csv_files import read_csv
from refinery.sources.files import open_compressed, read_whole, read_zip
from refinery.sources.json_files import read_jsonl
from refinery.sources.parquet_files import read_parquet
from refinery.sources.reading import read_stream
from refinery.sources.record import Broken, Fetch, NoDocument

LINES = (
    b'{"text": "one", "url": "http://a/", "at": "2024-01-02T03:04:05+01:00", "n": 1}\n'
    b'{"text": "two"}\n'
)
FIELDS = FieldMapping(fetched_at="at")


def texts(data: bytes) -> list[bytes]:
    rows = read_jsonl(open_compressed(io.BytesIO(data)), fields=FIELDS, max_bytes=100)
    return [row.payload for row in rows if isinstance(row, Fetch)]


def test_the_first_bytes_tell_the_compression() -> None:
    assert texts(LINES) == [b"one", b"two"]
    assert texts(gzip.compress(LINES, mtime=0)) == [b"one", b"two"]
    assert texts(zstandard.compress(LINES)) == [b"one", b"two"]


def test_fields_are_mapped_and_others_kept() -> None:
    first = next(iter(read_jsonl(io.BytesIO(LINES), fields=FIELDS, max_bytes=100)))

    assert isinstance(first, Fetch)
    assert (first.url, first.fetched_at, first.meta) == (
        "http://a/",
        datetime(2024, 1, 2, 2, 4, 5),
        '{"n": 1}',
    )


def test_a_bad_line_is_one_reject() -> None:
    data = (
        b'{"text": "a"}\nnot json\n{"title": "b"}\n{"text": "' + b"x" * 101 + b'"}\n{"text": "c"}\n'
    )

    rows = list(read_jsonl(io.BytesIO(data), fields=FIELDS, max_bytes=100))

    assert [r.reason for r in rows if isinstance(r, Broken)] == [
        "json:broken",
        "row:no_text",
        "document:too_large",
    ]
    assert [r.payload for r in rows if isinstance(r, Fetch)] == [b"a", b"c"]


def test_a_cut_gzip_yields_its_good_lines_and_one_reject() -> None:
    whole = gzip.compress(b"".join(b'{"text": "%d"}\n' % (i * 7919**3) for i in range(20_000)))

    rows = list(
        read_jsonl(
            open_compressed(io.BytesIO(whole[: len(whole) // 2])),
            fields=FIELDS,
            max_bytes=100,
        )
    )

    assert len(rows) > 1000
    assert [r.reason for r in rows if isinstance(r, Broken)] == ["archive:broken"]


def test_a_file_over_the_bound_is_a_reject() -> None:
    (row,) = read_whole(io.BytesIO(b"x" * 11), mime="text/plain", url=None, max_bytes=10)

    assert isinstance(row, Broken)


def test_a_zip_gives_its_pages_and_counts_the_rest() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/one.html", "<p>one")
        archive.writestr("logo.png", b"\x89PNG")
        archive.writestr("big.htm", "x" * 101)

    rows = list(read_zip(buffer, mime="text/html", url_prefix="http://z/", max_bytes=100))

    page, other, big = rows
    assert isinstance(page, Fetch)
    assert (page.payload, page.url, page.offset) == (b"<p>one", "http://z/a/one.html", 0)
    assert isinstance(other, NoDocument)
    assert isinstance(big, Broken)
    assert big.reason == "document:too_large"


def test_a_file_that_is_no_zip_is_one_reject() -> None:
    (outcome,) = read_zip(io.BytesIO(b"PK nothing"), mime="text/html", url_prefix=None, max_bytes=9)

    assert isinstance(outcome, Broken)
    assert outcome.reason == "archive:broken"


def test_parquet_rows_become_documents() -> None:
    table = pa.table({"body": ["<p>一", None], "link": ["http://a/", "http://b/"], "n": [1, 2]})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    fields = FieldMapping(text="body", url="link", mime="text/html")

    first, second = read_parquet(buffer, fields=fields, max_bytes=100)

    assert isinstance(first, Fetch)
    assert (first.payload.decode(), first.url, first.mime, first.meta) == (
        "<p>一", "http://a/", "text/html", '{"n": 1}',
    )  # fmt: skip
    assert isinstance(second, Broken)
    assert second.reason == "row:no_text"


def test_a_truncated_parquet_file_is_one_reject() -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["a"]}), buffer)

    (outcome,) = read_parquet(
        io.BytesIO(buffer.getvalue()[:-20]), fields=FieldMapping(), max_bytes=9
    )

    assert isinstance(outcome, Broken)
    assert outcome.reason == "archive:broken"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("big5", "今天天氣很好，我們去公園"), ("gb18030", "今天天气很好，我们去公园"), ("cp932", "早春に研究会が開かれました"),
        ("euc_kr", "오늘은 날씨가 좋아서 공원에 갔다"), ("utf-16", "今天天气很好"), ("cp1251", "Сегодня хорошая погода"),
    ],
)  # fmt: skip
def test_short_cells_of_a_short_csv_keep_its_charset(encoding: str, text: str) -> None:
    data = f'\n id , text \n1,"{text}\n{text}"\n2,{text}\n'.encode(encoding)

    rows = list(read_csv(io.BytesIO(data), delimiter=",", fields=FieldMapping(), max_bytes=999))

    assert [row.payload.decode() for row in rows if isinstance(row, Fetch)] == [
        f"{text}\n{text}", text,
    ]  # fmt: skip
    assert len(rows) == 2


@pytest.mark.parametrize("sign", [";", "\t", "|", ","])
def test_a_header_shows_what_divides_the_cells(sign: str) -> None:
    data = f'id{sign}text\n1{sign}"Grüße, aus; Köln | heute"\n'.encode()

    (row,) = read_csv(io.BytesIO(data), delimiter=",", fields=FieldMapping(), max_bytes=99)

    assert isinstance(row, Fetch)
    assert row.payload.decode() == "Grüße, aus; Köln | heute"
    (seen,) = peek._csv_rows(io.BytesIO(data), "a.csv")
    assert seen == {"id": "1", "text": "Grüße, aus; Köln | heute"}


def test_csv_cells_may_hold_line_ends_and_delimiters() -> None:
    data = '\ufefftext,url\n"one,\nmore",http://a/\n'.encode()

    (row,) = read_csv(io.BytesIO(data), delimiter=",", fields=FieldMapping(), max_bytes=100)

    assert isinstance(row, Fetch)
    assert (row.payload, row.url) == (b"one,\nmore", "http://a/")


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [
        ("a.tsv", "csv", b"text\turl\nhello\thttp://a/\n"),
        ("a.csv.gz", "csv", gzip.compress(b"text,url\nhello,http://a/\n", mtime=0)),
        ("notes.md", "text", b"hello"),
        ("a.html.zst", "html", zstandard.compress(b"hello")),
    ],
)
def test_the_format_and_the_name_choose_the_reader(name: str, kind: str, data: bytes) -> None:
    source = SourceConfig.model_validate({"name": "s", "uri": "/x", "format": kind})

    (row,) = read_stream(io.BytesIO(data), source=source, name=name, limits=ReadLimits())

    assert isinstance(row, Fetch)
    assert row.payload == b"hello"


def test_lines_in_lz4_are_read() -> None:
    lz4 = io.BytesIO()
    stream = Lz4Writer(lz4)
    stream.write(b'{"text": "one"}\n{"text": "two"}\n')
    stream.close()
    packed = io.BytesIO(lz4.getvalue())

    plain = open_compressed(packed)

    assert plain.read() == b'{"text": "one"}\n{"text": "two"}\n'
