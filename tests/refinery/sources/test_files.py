import gzip
import io
from datetime import datetime

import zstandard

from refinery.sources.config import FieldMapping
from refinery.sources.files import open_compressed, read_jsonl, read_whole
from refinery.sources.record import Broken, Fetch

LINES = (
    b'{"text": "one", "url": "http://a/", "at": "2024-01-02T03:04:05+01:00", "n": 1}\n'
    b'{"text": "two"}\n'
)
FIELDS = FieldMapping(fetched_at="at")


def texts(data: bytes, name: str) -> list[bytes]:
    rows = read_jsonl(open_compressed(io.BytesIO(data), name), fields=FIELDS, max_bytes=100)
    return [row.payload for row in rows if isinstance(row, Fetch)]


def test_compression_follows_the_name() -> None:
    assert texts(LINES, "a.jsonl") == [b"one", b"two"]
    assert texts(gzip.compress(LINES), "a.jsonl.gz") == [b"one", b"two"]
    assert texts(zstandard.compress(LINES), "a.jsonl.zst") == [b"one", b"two"]


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
        "json:no_text",
        "document:too_large",
    ]
    assert [r.payload for r in rows if isinstance(r, Fetch)] == [b"a", b"c"]


def test_a_cut_gzip_yields_its_good_lines_and_one_reject() -> None:
    whole = gzip.compress(b"".join(b'{"text": "%d"}\n' % (i * 7919**3) for i in range(20_000)))

    rows = list(
        read_jsonl(
            open_compressed(io.BytesIO(whole[: len(whole) // 2]), "a.gz"),
            fields=FIELDS,
            max_bytes=100,
        )
    )

    assert len(rows) > 1000
    assert [r.reason for r in rows if isinstance(r, Broken)] == ["archive:broken"]


def test_a_file_over_the_bound_is_a_reject() -> None:
    (row,) = read_whole(io.BytesIO(b"x" * 11), mime="text/plain", url=None, max_bytes=10)

    assert isinstance(row, Broken)
