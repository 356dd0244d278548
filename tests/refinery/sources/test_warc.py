import gzip
import io
from collections import Counter
from pathlib import Path

import brotli
import pytest
import zstandard

from refinery.sources.arc import read_arc
from refinery.sources.config import ReadLimits, SourceConfig
from refinery.sources.reading import read_stream
from refinery.sources.record import Broken, Fetch, NoDocument
from refinery.sources.warc import read_warc

ARCHIVES = Path(__file__).resolve().parents[4] / "shared" / "data" / "warc"
MOST = 20_000_000
PAGE = b"<html><body><p>Hello</p></body></html>"


def record(
    body: bytes, *, kind: str = "response", headers: str = "", mime: str = "text/html"
) -> bytes:
    http = f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\n{headers}\r\n".encode() + body
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://a.example/x\r\n"
        f"WARC-Date: 2024-05-06T07:08:09Z\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return head.encode() + http + b"\r\n\r\n"


def read(data: bytes) -> list[Fetch | NoDocument | Broken]:
    return list(read_warc(io.BytesIO(data), max_bytes=MOST))


def test_a_page_keeps_address_time_and_charset() -> None:
    (page,) = read(record(PAGE, mime="text/html; charset=Big5"))

    assert isinstance(page, Fetch)
    assert (page.payload, page.url) == (PAGE, "http://a.example/x")
    assert str(page.fetched_at) == "2024-05-06 07:08:09"
    assert (page.charset or "").lower() == "big5"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Encoding: gzip\r\n", gzip.compress(PAGE)),
        ("Content-Encoding: br\r\n", brotli.compress(PAGE)),
        ("Content-Encoding: gzip\r\n", PAGE),
        (
            "Transfer-Encoding: chunked\r\n",
            b"5\r\n" + PAGE[:5] + b"\r\n21\r\n" + PAGE[5:] + b"\r\n0\r\n\r\n",
        ),
    ],
    ids=["gzip", "brotli", "declared gzip but plain", "chunked"],
)
def test_bodies_are_decoded(headers: str, body: bytes) -> None:
    (page,) = read(record(body, headers=headers))

    assert isinstance(page, Fetch)
    assert page.payload == PAGE


def test_other_records_are_counted_by_type() -> None:
    data = (
        record(PAGE, kind="request") + record(PAGE, kind="revisit") + record(b"x", mime="image/png")
    )

    assert [o.type for o in read(data) if isinstance(o, NoDocument)] == [
        "request",
        "revisit",
        "not_html",
    ]


def test_a_cut_archive_yields_its_good_records_and_one_reject() -> None:
    members = [gzip.compress(record(PAGE)), gzip.compress(record(PAGE * 2000))]
    data = members[0] + members[1][: len(members[1]) // 2]

    outcomes = read(data)

    assert isinstance(outcomes[0], Fetch)
    assert Counter(type(o) for o in outcomes)[Broken] == 1


def test_a_body_over_the_bound_is_a_reject() -> None:
    (outcome,) = read_warc(io.BytesIO(record(b"x" * 5000)), max_bytes=1000)

    assert isinstance(outcome, Broken)
    assert outcome.reason == "document:too_large"


def test_text_of_a_wet_file_is_a_document() -> None:
    data = (
        b"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://a.example/\r\n"
        b"WARC-Record-ID: <urn:uuid:1>\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"
        b"Hello\r\n\r\n"
    )

    (text,) = read(data)

    assert isinstance(text, Fetch)
    assert (text.payload, text.mime, text.url) == (b"Hello", "text/plain", "http://a.example/")


def test_header_lines_may_end_in_a_bare_line_feed() -> None:
    (page,) = read(record(PAGE).replace(b"200 OK\r\nContent-Type: text/html\r\n\r\n",
                                        b"200 OK\nContent-Type: text/html\n\n\n\n"))  # fmt: skip

    assert isinstance(page, Fetch)
    assert page.payload.strip() == PAGE


def test_a_zstandard_archive_is_read() -> None:
    (page,) = read(zstandard.compress(record(PAGE)))

    assert isinstance(page, Fetch)
    assert page.payload == PAGE


def test_an_arc_archive_is_read_record_by_record() -> None:
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=gbk\r\n\r\n" + PAGE
    version = b"1 0 Test\nURL IP-address Archive-date Content-type Archive-length\n"
    data = (
        b"filedesc://t.arc 0.0.0.0 20140216050221 text/plain %d\n" % len(version) + version
        + b"\nhttp://a.example/ 1.2.3.4 20140216050221 text/html %d\n" % len(http) + http
        + b"\ndns:a.example 1.2.3.4 20140216050221 text/dns 4\nabcd"
        + b"\nhttp://a.example/2 1.2.3.4 20140216050221 text/html 90\ncut"
    )  # fmt: skip

    desc, page, dns, cut = read_arc(io.BytesIO(data), max_bytes=MOST)

    assert (desc, dns) == (NoDocument(type="filedesc"), NoDocument(type="dns"))
    assert isinstance(page, Fetch)
    assert (page.payload, page.url, page.charset) == (PAGE, "http://a.example/", "gbk")
    assert str(page.fetched_at) == "2014-02-16 05:02:21"
    assert isinstance(cut, Broken)
    assert cut.reason == "archive:truncated"


def test_an_arc_archive_of_version_2_carries_more_fields() -> None:
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE
    fields = (
        b"URL IP-address Archive-date Content-type Result-code Checksum Location Offset Filename "
    )
    version = b"2 0 Test\n" + fields + b"Archive-length\n"
    data = (
        b"filedesc://t.arc 0.0.0.0 20140216050221 text/plain 200 - - 0 t.arc %d\n" % len(version)
        + version
        + b"\nhttp://a.example/ 1.2.3.4 20140216050221 text/html 200 abc - 209 t.arc %d\n" % len(http)
        + http + b"\n"
    )  # fmt: skip

    desc, page = read_arc(io.BytesIO(data), max_bytes=MOST)

    assert desc == NoDocument(type="filedesc")
    assert isinstance(page, Fetch)
    assert (page.payload, page.url) == (PAGE, "http://a.example/")


# What this reader counts today, odd files looked over by hand: a guard against change, no second opinion.
EXACT = {
    "bad.arc": {"Broken": 1},
    "block-sized-records.warc.gz": {"unknown": 3},
    "clipped.warc.gz": {"Broken": 1},
    "clueweb-quirk.warc.gz": {"warcinfo": 1, "html": 29},
    "dupes.warc.gz": {"warcinfo": 1, "html": 1, "request": 12, "not_html": 2, "revisit": 9},
    "example-bad.warc.gz.bad": {"warcinfo": 1, "html": 2, "request": 2, "revisit": 1},
    "example-iana.org-chunked.warc": {"warcinfo": 1, "html": 1, "request": 1},
    "example-trunc.warc": {"warcinfo": 2, "html": 1, "Broken": 1},
    "example-url-agnostic-revisit.warc.gz": {"warcinfo": 1, "revisit": 1},
    "example-wrong-chunks.warc.gz": {"html": 1, "request": 1},
    "example.arc.gz": {"filedesc": 1, "html": 1},
    "example.warc.gz": {
        "warcinfo": 1, "html": 140, "plain": 37, "not_html": 122, "request": 261, "metadata": 261,
    },
    "iana.warc.gz": {"warcinfo": 1, "html": 20, "request": 171, "not_html": 28, "revisit": 123},
    "issue-493.warc": {"warcinfo": 2, "html": 5, "request": 15, "not_html": 5, "revisit": 5},
    "issue-514.warc": {"warcinfo": 1, "html": 2, "plain": 2, "request": 2, "metadata": 1},
    "post-test.warc.gz": {"not_html": 3, "request": 3},
    "sample-0000.warc.gz": {"warcinfo": 1, "html": 22, "plain": 2, "request": 22, "metadata": 1},
    "sample-0001.warc.gz": {"warcinfo": 1, "html": 15, "plain": 2, "request": 15, "metadata": 1},
    "transfer_compression_brotli.warc.gz": {
        "warcinfo": 1, "html": 1, "plain": 1, "request": 1, "metadata": 1,
    },
    "warcfile.warc.gz": {"warcinfo": 1, "html": 16, "request": 17, "metadata": 16},
    "warcfile.warc.lz4": {"warcinfo": 1, "html": 16, "request": 17, "metadata": 16},
    "whirlwind.warc.gz": {"warcinfo": 1, "html": 1, "request": 1, "metadata": 1},
    "whirlwind.warc.wet.gz": {"warcinfo": 1, "plain": 1},
}  # fmt: skip


def kind_of(outcome: Fetch | NoDocument | Broken) -> str:
    if isinstance(outcome, Fetch):
        return outcome.mime.removeprefix("text/")
    return outcome.type if isinstance(outcome, NoDocument) else "Broken"


@pytest.mark.parametrize("name", EXACT)
def test_every_record_of_a_real_archive_is_counted(name: str) -> None:
    path = ARCHIVES / name
    if not path.is_file():
        pytest.skip("the folder of real archives is absent")
    source = SourceConfig(name="s", uri=str(path), format="warc")

    with path.open("rb") as stream:
        outcomes = read_stream(stream, source=source, name=name, limits=ReadLimits())
        assert Counter(map(kind_of, outcomes)) == EXACT[name]
