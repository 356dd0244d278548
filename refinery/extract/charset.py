"""Decode bytes in the order of the HTML standard: BOM, HTTP header, meta prescan, detector."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

PRESCAN_BYTES = 4096
DETECT_BYTES = 1 << 18

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_META = re.compile(
    rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.+-]{2,40})", re.IGNORECASE
)
# By the Encoding Standard, decoders of these names read the vendors' extensions, too: circled numbers
# of Windows in Shift-JIS, all Hangul syllables in EUC-KR.
_SUPERSETS = {
    "gbk": "gb18030", "gb2312": "gb18030", "big5": "big5hkscs", "shift_jis": "cp932",
    "euc_kr": "cp949",
}  # fmt: skip
_PAIR = re.compile(rb"[\xa1-\xfe][\xa1-\xfe]")
_XML = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.+-]{2,40})", re.IGNORECASE)


@dataclass(frozen=True)
class Decoded:
    """Text, the encoding that gave it, and how many characters could not be decoded.

    `is_misdeclared` tells that a declared charset did not fit and another one was taken.
    """

    text: str
    encoding: str
    num_replaced: int
    is_misdeclared: bool = False


def decode(payload: bytes, charset: str | None, *, is_html: bool) -> Decoded:
    """Decode a payload; what no charset can decode becomes U+FFFD, and is counted.

    A declared charset that does not fit the bytes (more than one character in a thousand cannot be
    decoded) gives way to the next declaration, then to the detector: servers send one header for
    pages of many encodings.
    """
    for bom, marked in _BOMS:
        if payload.startswith(bom):
            return _decode(payload[len(bom) :], marked)
    gave_way = False
    for label in (charset, _declared_in(payload) if is_html else None):
        encoding = _known(label)
        if encoding is None:
            continue
        decoded = _decode(payload, encoding)
        if decoded.num_replaced * 1000 <= len(decoded.text):
            return replace(decoded, is_misdeclared=gave_way)
        gave_way = True
    try:
        return Decoded(payload.decode("utf-8"), "utf-8", 0, gave_way)
    except UnicodeDecodeError:
        return replace(_decode_undeclared(payload), is_misdeclared=gave_way)


def _decode_undeclared(payload: bytes) -> Decoded:
    """Decode bytes that are not clean UTF-8 and carry no declaration that fits."""
    head = payload[:DETECT_BYTES]
    decoded = _decode(payload, _known(detect_encoding(head)) or "cp1252")
    if decoded.num_replaced * 100 <= len(decoded.text):
        return decoded
    # The detector takes short EUC-KR for UTF-8. Lead bytes of Korean are within B0-C8 (KS X 1001's
    # syllables) and A1-A3; those of Chinese in GB 2312 spread over B0-F7.
    pairs = _PAIR.findall(head)
    korean = sum(0xB0 <= pair[0] <= 0xC8 or pair[0] <= 0xA3 for pair in pairs)
    guess = "cp1252" if not pairs else "cp949" if korean >= 0.95 * len(pairs) else "gb18030"
    other = _decode(payload, guess)
    return other if other.num_replaced < decoded.num_replaced else decoded


def _declared_in(payload: bytes) -> str | None:
    """The label in a page's meta tag or XML declaration."""
    head = payload[:PRESCAN_BYTES]
    declaration = _META.search(head) or _XML.search(head)
    if declaration is None:
        return None
    label = declaration[1].decode("ascii")
    # A page that could be prescanned as ASCII is not UTF-16, whatever it says (HTML standard).
    return "utf-8" if label.lower().startswith("utf-16") else label


def _known(label: str | None) -> str | None:
    """Python codec of a label that the web uses; None for an unknown one. Old names give supersets."""
    if not label:
        return None
    name = map_encoding_to_html5(label.strip(), fallback_utf8=False)
    if name is None:
        return None
    try:
        return codecs.lookup(_SUPERSETS.get(name.lower().replace("-", "_"), name)).name
    except LookupError:
        return None


def _decode(payload: bytes, encoding: str) -> Decoded:
    text = payload.decode(encoding, errors="replace")
    replaced = text.count("\ufffd") - payload.count(b"\xef\xbf\xbd") if "\ufffd" in text else 0
    return Decoded(text, encoding, max(0, replaced))
