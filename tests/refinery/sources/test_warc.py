import gzip
import io
from collections import Counter
from pathlib import Path

import brotli
import pytest

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


def test_no_real_archive_crashes() -> None:
    if not ARCHIVES.is_dir():
        pytest.skip("the folder of real archives is absent")
    found = {}
    for path in sorted(ARCHIVES.iterdir()):
        with path.open("rb") as stream:
            found[path.name] = Counter(type(o).__name__ for o in read_warc(stream, max_bytes=MOST))

    assert found["example.warc.gz"]["Fetch"] >= 1
    assert found["whirlwind.warc.gz"]["Fetch"] >= 1
    assert found["transfer_compression_brotli.warc.gz"]["Fetch"] >= 1
    assert found["clipped.warc.gz"]["Broken"] == 1
    assert all(sum(count.values()) for count in found.values())
