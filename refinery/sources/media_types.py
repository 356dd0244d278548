"""Tell pages and plain text from other bodies, by the declared type and by the first bytes."""

from __future__ import annotations

import codecs
import re

TEXT_TYPES = {"text/html", "application/xhtml+xml", "text/plain"}
# Types that say nothing of the body, by the MIME Sniffing Standard and by servers' defaults, and XML,
# which may be a page.
_GENERIC = {
    "unknown/unknown", "application/unknown", "content/unknown", "*/*", "text/*",
    "application/octet-stream", "binary/octet-stream", "application/force-download",
    "application/download", "application/x-download", "httpd/unix-directory", "text/htm",
    "text/xhtml", "application/html", "text/xml", "application/xml", "text/unknown",
}  # fmt: skip
_TYPE = re.compile(r"\s*[\"']?\s*([\w!#$&^.+*-]+/[\w!#$&^.+*-]+)")
_NAMES = (
    "!doctype html|html|head|body|title|meta|link|base|script|noscript|style|iframe|frameset|"
    "h[1-6]|div|p|br|hr|font|center|table|a|b|i|ul|ol|dl|img|form|span|main|article|section|nav|"
    "header|blockquote|pre"
)
_TAG = re.compile(rf"<(?:{_NAMES})(?=[\s/>]|$)", re.IGNORECASE)
_ROOT = re.compile(r"<(?:!doctype\s+html|html)(?=[\s/>]|$)", re.IGNORECASE)
_PROLOG = re.compile(r"\s*<\?xml[^>]{0,500}\?>|\s*<!--.{0,1000}?-->", re.DOTALL)
_HEAD_BYTES = 2048
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
# Control characters that no text holds; ESC stays, for ISO-2022-JP.
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def media_type(field: str) -> str:
    """The type that a Content-Type names, in lower case and without parameters, of a list the first.

    Empty where there is none, or where what stands there has not the form of a type.
    """
    found = _TYPE.match(field)
    return found[1].lower() if found else ""


def is_media_type(field: str) -> bool:
    """Whether a Content-Type says what a body is."""
    mime = media_type(field)
    return bool(mime) and mime not in _GENERIC


def is_text_or_page(field: str, body: bytes) -> bool:
    """Whether a body is a page or plain text: by its type, and by sniffing where that says nothing."""
    mime = media_type(field)
    return mime in TEXT_TYPES or (not is_media_type(field) and looks_like_html(body))


def looks_like_html(body: bytes) -> bool:
    """Whether a body of no declared type begins like a page.

    A byte order mark, white space, an XML declaration and comments may come first; behind an XML
    declaration only a page's root counts, since feeds begin so, too.
    """
    head = _decoded_head(body)
    is_xml = head.lstrip().startswith("<?xml")
    rest, has_comment = head, False
    while prolog := _PROLOG.match(rest):
        has_comment = has_comment or "<!--" in prolog[0]
        rest = rest[prolog.end() :]
    rest = rest.lstrip()
    if not rest or rest.startswith("<!--"):
        return is_xml or has_comment or rest.startswith("<!--")
    if is_xml:
        return _ROOT.match(rest) is not None
    return _TAG.match(rest) is not None or (has_comment and rest.startswith("<"))


def looks_binary(body: bytes) -> bool:
    """Whether the first bytes hold control characters, as compressed bytes do and text does not."""
    return _BINARY.search(body[:256]) is not None


def _decoded_head(body: bytes) -> str:
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :][:_HEAD_BYTES].decode(encoding, "replace")
    head = body[:_HEAD_BYTES]
    if head[1:2] == b"\0":
        return head.decode("utf-16-le", "replace")
    if head[:1] == b"\0":
        return head.decode("utf-16-be", "replace")
    return head.decode("latin-1")
