"""Readers take a file piece by piece: the first document comes before the rest is read."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
from collections.abc import Callable

import pytest
import zstandard

from refinery.sources.config import Format, ReadLimits, SourceConfig
from refinery.sources.reading import read_stream
from refinery.sources.record import Fetch

NUM_DOCUMENTS, DOCUMENT_BYTES = 400, 20_000
RANDOM = random.Random(0)
# Text that does not compress well, so that the compressed file is long too.
TEXTS = [base64.b64encode(RANDOM.randbytes(DOCUMENT_BYTES)).decode() for _ in range(NUM_DOCUMENTS)]


def warc_record(text: str) -> bytes:
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>" + text.encode()
    head = (
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/\r\n"
        "WARC-Record-ID: <urn:uuid:1>\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(http)}\r\n\r\n"
    )
    return head.encode() + http + b"\r\n\r\n"


def arc_record(text: str) -> bytes:
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>" + text.encode()
    return b"http://a.example/ 1.2.3.4 20140216050221 text/html %d\n" % len(http) + http + b"\n"


def json_line(text: str) -> bytes:
    return json.dumps({"text": text}).encode() + b"\n"


def cell(text: str) -> bytes:
    return text.encode() + b"\n"


def whole(data: bytes) -> bytes:
    return data


@pytest.mark.parametrize(
    ("form", "name", "record", "compress"),
    [
        ("warc", "a.warc", warc_record, whole),
        ("warc", "a.warc.gz", warc_record, gzip.compress),
        ("warc", "a.warc.zst", warc_record, zstandard.compress),
        ("warc", "a.arc.gz", arc_record, gzip.compress),
        ("jsonl", "a.jsonl.gz", json_line, gzip.compress),
        ("jsonl", "a.jsonl.zst", json_line, zstandard.compress),
        ("csv", "a.csv.gz", cell, gzip.compress),
    ],
)
def test_the_first_document_comes_before_the_file_is_read(
    form: Format, name: str, record: Callable[[str], bytes], compress: Callable[[bytes], bytes]
) -> None:
    pieces = [compress(record(text)) for text in TEXTS] if form == "warc" else []
    head = b"text\n" if form == "csv" else b""
    data = b"".join(pieces) or compress(head + b"".join(map(record, TEXTS)))
    stream = io.BytesIO(data)
    source = SourceConfig(name="s", uri=name, format=form)

    outcomes = read_stream(stream, source=source, name=name, limits=ReadLimits())
    first = next(iter(outcomes))
    read_by_then = stream.tell()

    assert isinstance(first, Fetch)
    assert read_by_then < len(data) / 10
    assert 1 + sum(isinstance(one, Fetch) for one in outcomes) == NUM_DOCUMENTS
