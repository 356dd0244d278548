"""HTTP bodies: every encoding undone, damage named, size bounded."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import brotli
import pytest
import zstandard

from refinery.sources.bodies import BodyError, Response, decode_body, parse_response
from refinery.sources.chunks import join_chunks
from refinery.sources.codings import undo_codings
from refinery.sources.media_types import (
    is_media_type,
    is_text_or_page,
    looks_binary,
    looks_like_html,
    media_type,
)
from refinery.sources.record import Fetch
from refinery.sources.responses import Origin, outcome_of

BODY = b"<html><p>" + b"text " * 200


def response(body: bytes, **fields: str) -> Response:
    return Response({name.replace("_", "-"): value for name, value in fields.items()}, body)


def raw_deflate(data: bytes) -> bytes:
    made = zlib.compressobj(wbits=-15)
    return made.compress(data) + made.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("x-gzip", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
        ("br", brotli.compress(BODY)),
        ("identity", BODY),
        ("zstd", zstandard.compress(BODY)),
        ("zstd", zstandard.compress(BODY[:400]) + zstandard.compress(BODY[400:])),
        ("gzip", gzip.compress(BODY[:400], mtime=0) + gzip.compress(BODY[400:], mtime=0)),
        ("gzip", gzip.compress(BODY, mtime=0) + bytes(100)),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY, mtime=0), mtime=0)),
        ("gzip", gzip.compress(gzip.compress(BODY, mtime=0), mtime=0)),
        ("", gzip.compress(BODY, mtime=0)),
        ("deflate, gzip", gzip.compress(zlib.compress(BODY), mtime=0)),
        ("br,identity", brotli.compress(BODY)),
        (" GZIP ", gzip.compress(BODY, mtime=0)),
        ("none", BODY),
        ("unknown", BODY),
        # The archive decoded it and left the header.
        ("deflate", BODY),
        ("zstd", BODY),
        ("gzip, br", BODY),
        ("gzip", BODY),
        ("br", BODY),
    ],
)
def test_a_content_encoding_is_undone(encoding: str, body: bytes) -> None:
    assert decode_body(response(body, content_encoding=encoding), 10_000).data == BODY


BOMBS = {
    "gzip": gzip.compress, "br": brotli.compress, "deflate": zlib.compress,
    "zstd": zstandard.compress,
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_is_whole(name: str) -> None:
    packed = BOMBS[name](bytes(10_000_000))

    with pytest.raises(BodyError, match="more than 1000 bytes"):
        decode_body(response(packed, content_encoding=name), 1000)


def test_a_bomb_of_brotli_is_unpacked_piece_by_piece() -> None:
    packed = brotli.compress(bytes(50_000_000), quality=5)

    tracemalloc.start()
    with pytest.raises(BodyError, match="more than 1000 bytes"):
        undo_codings(packed, "br", 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 10_000_000


def test_a_damaged_body_is_named() -> None:
    packed = bytearray(gzip.compress(BODY, mtime=0))
    packed[10:20] = b"\xff" * 10

    with pytest.raises(BodyError, match="content encoding"):
        decode_body(response(bytes(packed), content_encoding="gzip"), 10_000)


@pytest.mark.parametrize(
    ("body", "joined"),
    [
        (b"4\r\nWiki\r\n5;name=x\r\npedia\r\n0\r\n\r\n", b"Wikipedia"),
        (b"4\r\nWiki\r\n5\r\npedi", b"Wikipedi"),  # cut off
        (b"<html>no chunks", b"<html>no chunks"),
        (b"4\r\nWiki\r\nzz", b"Wiki"),
        (b"4\nWiki\n5\npedia\n0\n\n", b"Wikipedia"),  # bare line feeds
        (b"4;" + b"x" * 2000 + b"\r\nWiki\r\n0\r\n\r\n", b"Wiki"),
        (b"4 \r\nWiki\r\n0;end\r\nExpires: never\r\n\r\n", b"Wiki"),  # a trailer
        (b"4\r\nWiki\r\nzz\r\npedia is\r\n4\r\n big\r\n0\r\n\r\n", b"Wikipedia is big"),
        (b"4\r\nWiki\r\n3\r\npedia is\r\n4\r\n big\r\n0\r\n\r\n", b"Wikipedia is big"),
        (b"4\r\nWiki\r\nff\r\npedia is\r\n4\r\n big\r\n0\r\n\r\n", b"Wikipedia is big"),
        (
            b"4\r\nWiki\r\nno size, and no other chunk behind it",
            b"Wikino size, and no other chunk behind it",
        ),
        (b"12\nmonths has the year\n", b"12\nmonths has the year\n"),
    ],
)
def test_chunks_are_joined(body: bytes, joined: bytes) -> None:
    assert decode_body(response(body, transfer_encoding="Chunked"), 100).data == joined


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_header_lines_end_either_way(end: bytes) -> None:
    head = [
        b"HTTP/1.1 200 OK",
        b"Content-Type: Text/HTML; charset='gbk'",
        b"X: 1",
        b"x: 2",
        b"junk",
    ]

    found = parse_response(end.join([*head, b"", b"body"]))

    assert (found.mime, found.charset, found.body) == ("text/html", "gbk", b"body")
    assert found.fields["x"] == "1"  # the first one counts


def test_a_block_without_a_status_is_a_body() -> None:
    assert parse_response(b"plain", "text/plain") == Response(
        {"content-type": "text/plain"}, b"plain"
    )
    assert parse_response(b"plain").fields == {}
    assert parse_response(b"HTTP/1.1 200 OK").body == b""
    assert parse_response(b"HTTP/2 404\r\n\r\ngone").status == 404


def test_a_damaged_chunk_is_told_of() -> None:
    assert join_chunks(b"4\r\nWiki\r\n0\r\n\r\n") == (b"Wiki", False)
    assert join_chunks(b"4\r\nWiki\r\nzz\r\npedia\r\n0\r\n\r\n") == (b"Wikipedia", True)


def test_what_follows_a_damaged_member_is_left_out_and_the_first_one_kept() -> None:
    damaged = bytearray(gzip.compress(BODY[400:]))
    damaged[10:20] = b"\xff" * 10

    assert undo_codings(gzip.compress(BODY[:400]) + bytes(damaged), "gzip", 10_000) == BODY[:400]


PAGE_FIELDS = [
    "text/html;;charset=utf-8", "text/html charset=utf-8", "text/html, text/html", '"text/html"',
    "TEXT/HTML;charset=gbk", "html", "text", "", "unknown/unknown", "*/*", "application/octet-stream",
    "application/xhtml+xml", "charset=utf-8", "text/html;", "; charset=utf-8", "text/xml",
]  # fmt: skip


@pytest.mark.parametrize("field", PAGE_FIELDS)
def test_a_malformed_or_generic_type_is_sniffed(field: str) -> None:
    assert is_text_or_page(field, b"<!doctype html><html>")


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("image/png", b"<html>"), ("application/pdf", b"<html>"), ("application/json", b"<html>"),
        ("", b"%PDF-1.4"), ("", b"\x89PNG"), ("application/octet-stream", b"MZ\x90"),
        ("text/xml", b"<?xml version='1.0'?><rss><channel>"), ("", b"<svg xmlns='x'>"),
        ("", b"plain words"), ("", b""),
    ],
)  # fmt: skip
def test_other_bodies_are_no_document(field: str, body: bytes) -> None:
    assert not is_text_or_page(field, body)


@pytest.mark.parametrize(
    "head",
    [
        b" \n<!DOCTYPE html>", b"\xef\xbb\xbf<html lang=en>", b"<!-- made by hand --><p>", b"<body bgcolor=white>",
        b"<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC ''>", b"<title>x", b"<TABLE>", b"<div\n", b"<meta charset=x>",
        "<html>".encode("utf-16"), "<!doctype html>".encode("utf-16-le"), b"<!-- a comment without an end",
    ],
)  # fmt: skip
def test_pages_begin_in_many_ways(head: bytes) -> None:
    assert looks_like_html(head)


def test_a_type_is_known_by_its_form() -> None:
    assert media_type("Text/HTML; charset=x") == "text/html"
    assert media_type("nonsense") == ""
    assert is_media_type("image/png")
    assert not is_media_type("application/octet-stream")
    assert looks_binary(b"\x00\x01")
    assert not looks_binary("文本\t\r\n\x1b$B".encode())


def test_a_note_of_the_reader_is_metadata() -> None:
    damaged = response(
        b"6\r\n<html>\r\nzz\r\n<p>pedia\r\n0\r\n\r\n",
        transfer_encoding="chunked", content_type="text/html",
    )  # fmt: skip

    fetch = outcome_of(damaged, Origin(0, None, None), max_bytes=1000, statuses=(200,))

    assert isinstance(fetch, Fetch)
    assert (fetch.payload, fetch.meta) == (
        b"<html><p>pedia", '{"reader_note": "a chunk of the body was damaged"}',
    )  # fmt: skip
