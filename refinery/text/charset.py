"""Decode bytes in the order of the HTML standard: BOM, HTTP header, meta prescan, detector.

Where the standard would give text that nobody wrote, the bytes are compared with what they say: a
declaration that does not fit gives way, one that nearly fits wins over a guess that says no more.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

from resiliparse.parse.encoding import detect_encoding

from refinery.text.plausibility import plausibility
from refinery.text.web_codecs import decode_web, encoding_of_label, unmarked_encoding, wide_by_text

__all__ = ["Decoded", "decode", "encoding_of_label", "is_wide"]

# Of which text bytes give; what is decoded otherwise is another text.
CHARSET_VERSION = 2

PRESCAN_BYTES = 4096
DETECT_BYTES = 1 << 18

# The marks of UTF-32 come first: in little endian it begins as UTF-16's does.
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
_META = re.compile(
    rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.+-]{2,40})", re.IGNORECASE
)
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\xfe]")
_XML = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.+-]{2,40})", re.IGNORECASE)
# Control characters that no text holds; charsets of one byte decode them like all others.
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MULTI_BYTE = ("gb18030", "big5hkscs", "euc_jp", "cp932", "cp949")
# A declared charset with more bad characters than this, of those beyond ASCII, was never meant.
_MOST_BAD = 0.1
# What a guess must say more than a declaration, and another charset more than the detector's.
_DECLARED_LEAD, _DETECTED_LEAD = 0.25, 0.05
_MOJIBAKE = 0.0


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
    decoded) gives way to the next declaration, then to the detector, unless it nearly fits: servers
    send one header for pages of many encodings.
    """
    for bom, marked in _BOMS:
        if payload.startswith(bom):
            return _decode(payload[len(bom) :], marked)
    labels = (charset, _declared_in(payload) if is_html else None)
    declared = list(dict.fromkeys(filter(None, map(encoding_of_label, labels))))
    if (unmarked := unmarked_encoding(payload)) is not None:
        return replace(
            _decode(payload, unmarked), is_misdeclared=bool(declared) and unmarked not in declared
        )
    nearly: list[Decoded] = []
    for encoding in declared:
        decoded = _decode(payload, encoding)
        if _fits(decoded):
            return replace(decoded, is_misdeclared=bool(nearly))
        nearly.append(decoded)
    try:
        return Decoded(payload.decode("utf-8"), "utf-8", 0, bool(nearly))
    except UnicodeDecodeError:
        return _best(nearly, _guess(payload))


def is_wide(payload: bytes) -> bool:
    """Whether NUL bytes belong to characters: UTF-16 or UTF-32, with a mark or without."""
    if payload.startswith(tuple(bom for bom, name in _BOMS if name.startswith("utf-"))):
        return True
    return (unmarked_encoding(payload) or "").startswith("utf-")


def _fits(decoded: Decoded) -> bool:
    """Whether a declared charset is believed without a look at others.

    One byte for each character fits any bytes, so it must say something, too.
    """
    if decoded.num_replaced * 1000 > len(decoded.text):
        return False
    is_one_byte = decoded.encoding not in ("utf-8", *_MULTI_BYTE)
    return not is_one_byte or decoded.text.isascii() or plausibility(decoded.text) > _MOJIBAKE


def _best(declared: list[Decoded], guess: Decoded) -> Decoded:
    """A declaration that nearly fits, unless the guess says much more."""
    for decoded in declared:
        if _bad_share(decoded) > _MOST_BAD or plausibility(decoded.text) <= _MOJIBAKE:
            continue
        if plausibility(guess.text) <= plausibility(decoded.text) + _DECLARED_LEAD:
            return replace(decoded, is_misdeclared=decoded is not declared[0])
    return replace(guess, is_misdeclared=bool(declared))


def _bad_share(decoded: Decoded) -> float:
    """Bad characters among those beyond ASCII: in French in Latin-1, all of them are bad UTF-8."""
    num_foreign = len(decoded.text) - len(decoded.text.encode("ascii", "ignore"))
    return decoded.num_replaced / max(1, num_foreign)


def _guess(payload: bytes) -> Decoded:
    """Decode bytes that are not clean UTF-8 and carry no declaration that fits."""
    if (wide := wide_by_text(payload)) is not None:
        return _decode(payload, wide)
    head = payload[:DETECT_BYTES]
    if len(_CONTROLS.findall(head)) * 100 > len(head):
        return _decode(payload, "utf-8")  # no text: what cannot be decoded is counted
    detected = encoding_of_label(detect_encoding(head)) or "cp1252"
    best, most = detected, plausibility(decode_web(head, detected)) + _DETECTED_LEAD
    for encoding in (*(_MULTI_BYTE if _PAIR.search(head) else ()), "cp1252"):
        says = plausibility(decode_web(head, encoding))
        if says > most:
            best, most = encoding, says
    return _decode(payload, best)


def _declared_in(payload: bytes) -> str | None:
    """The label in a page's meta tag or XML declaration."""
    head = payload[:PRESCAN_BYTES]
    declaration = _META.search(head) or _XML.search(head)
    if declaration is None:
        return None
    label = declaration[1].decode("ascii")
    # A page that could be prescanned as ASCII is not UTF-16, whatever it says (HTML standard).
    return "utf-8" if label.lower().startswith(("utf-16", "utf-32")) else label


def _decode(payload: bytes, encoding: str) -> Decoded:
    text = decode_web(payload, encoding)
    replaced = text.count("\ufffd") - payload.count(b"\xef\xbf\xbd") if "\ufffd" in text else 0
    return Decoded(text, encoding, max(0, replaced))
