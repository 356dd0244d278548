"""HTTP bodies: every encoding undone, damage named, size bounded."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest

from refinery.sources.bodies import (
    BodyError,
    Response,
    decode_body,
    is_document,
    looks_like_html,
    parse_response,
)

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
        # The archive decoded it and left the header.
        ("gzip", BODY),
        ("br", BODY),
    ],
)
def test_a_content_encoding_is_undone(encoding: str, body: bytes) -> None:
    assert decode_body(response(body, content_encoding=encoding), 10_000) == BODY


@pytest.mark.parametrize("encode", [gzip.compress, brotli.compress], ids=["gzip", "br"])
def test_a_bomb_is_refused_before_it_is_whole(encode: object) -> None:
    name = "gzip" if encode is gzip.compress else "br"
    packed = encode(bytes(10_000_000))  # type: ignore[operator]

    with pytest.raises(BodyError, match="more than 1000 bytes"):
        decode_body(response(packed, content_encoding=name), 1000)


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
    ],
)
def test_chunks_are_joined(body: bytes, joined: bytes) -> None:
    assert decode_body(response(body, transfer_encoding="Chunked"), 100) == joined


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


@pytest.mark.parametrize(
    ("mime", "body", "expected"),
    [
        ("text/html", b"", True), ("application/pdf", b"<html>", False),
        ("", b" \n<!DOCTYPE html>", True), ("", b"%PDF", False),
    ],
)  # fmt: skip
def test_what_is_a_document(mime: str, body: bytes, expected: bool) -> None:  # noqa: FBT001
    assert is_document(response(body, content_type=mime), body) == expected
    assert looks_like_html(b"<?xml version='1.0'?>")
