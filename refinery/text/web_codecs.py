"""Decode legacy charsets as the Encoding Standard does, where Python's codecs are narrower.

Old names stand for their supersets (gb2312 is gb18030), EUC-JP and ISO-2022-JP read the vendors' rows
(circled numbers, abbreviations), and windows-1252 has no undefined byte. Also: charsets that bytes
alone betray, UTF-16 and UTF-32 without a mark, and the two of seven bits that use escapes.
"""

from __future__ import annotations

import codecs
import re

from resiliparse.parse.encoding import map_encoding_to_html5

from refinery.text.plausibility import plausibility

# By the Encoding Standard, decoders of these names read the vendors' extensions, too: circled numbers
# of Windows in Shift-JIS, all Hangul syllables in EUC-KR.
_SUPERSETS = {
    "gbk": "gb18030", "gb2312": "gb18030", "big5": "big5hkscs", "shift_jis": "cp932",
    "euc_kr": "cp949", "iso_2022_jp": "iso2022_jp_ext", "hz_gb_2312": "hz",
}  # fmt: skip
# Labels that browsers refuse to decode for security's sake; here nothing is executed.
_REFUSED_BY_BROWSERS = {
    "hz-gb-2312": "hz", "hz": "hz", "iso-2022-kr": "iso2022_kr", "utf-32": "utf-32-le",
    "utf-32le": "utf-32-le", "utf-32be": "utf-32-be",
}  # fmt: skip
_JAPANESE, _WINDOWS = "refinery-japanese", "refinery-windows"
_HANDLERS = {
    "euc_jp": _JAPANESE, "iso2022_jp_ext": _JAPANESE, "cp1252": _WINDOWS, "cp1253": _WINDOWS,
    "cp1254": _WINDOWS, "cp1255": _WINDOWS, "cp1257": _WINDOWS, "cp1258": _WINDOWS, "cp874": _WINDOWS,
}  # fmt: skip
_HEAD_BYTES = 4096
_FEWEST_ODD = 64  # bytes of a text that may have been cut inside of a character
_JAPANESE_ESCAPE = re.compile(rb"\x1b(?:\$[@B]|\([BJI]|\$\(D)")
_KOREAN_ESCAPE = b"\x1b$)C"
_HZ = re.compile(rb"~\{((?:[\x21-\x77][\x21-\x7e])+)~\}")
_HZ_STARTS = re.compile(rb"~\{")


def encoding_of_label(label: str | None) -> str | None:
    """Python codec of a label that the web uses; None for an unknown one. Old names give supersets."""
    if not label:
        return None
    plain = label.strip().lower()
    if plain in _REFUSED_BY_BROWSERS:
        return codecs.lookup(_REFUSED_BY_BROWSERS[plain]).name
    name = map_encoding_to_html5(plain, fallback_utf8=False)
    if name is None:
        return None
    try:
        return codecs.lookup(_SUPERSETS.get(name.lower().replace("-", "_"), name)).name
    except LookupError:
        return None


def decode_web(payload: bytes, encoding: str) -> str:
    """Text of a payload; what the charset does not have becomes U+FFFD."""
    return payload.decode(encoding, _HANDLERS.get(encoding, "replace"))


def is_stateful(encoding: str) -> bool:
    """Whether a line of a file cannot be decoded by itself, or ends in other bytes than ASCII's."""
    return encoding.startswith(("utf-16", "utf-32", "utf_16", "utf_32", "iso2022", "hz"))


def unmarked_encoding(payload: bytes) -> str | None:
    """The codec of bytes that only one reading fits, though they carry no mark; None for all others."""
    head = payload[:_HEAD_BYTES]
    if b"\0" in head:
        # A short text of two bytes a character has an even number of them.
        is_whole = len(payload) % 2 == 0 or len(payload) > _FEWEST_ODD
        return _wide(head) if is_whole else None
    if head.isascii():
        return _of_seven_bits(payload)
    return None


def _of_seven_bits(payload: bytes) -> str | None:
    if not payload.isascii():
        return None
    if b"\x1b" in payload:
        if _KOREAN_ESCAPE in payload:
            return "iso2022_kr"
        if _JAPANESE_ESCAPE.search(payload):
            return "iso2022_jp_ext"
    if b"~{" in payload:
        runs = _HZ.findall(payload)
        # Chinese in HZ, not a tilde before a brace of some program.
        if len(runs) * 2 >= len(_HZ_STARTS.findall(payload)):
            text = b"".join(runs).translate(_HIGH).decode("gb2312", "replace")
            if text and plausibility(text) >= _LEAST_CHINESE:
                return "hz"
    return None


_HIGH = bytes(byte | 0x80 for byte in range(256))
_LEAST_CHINESE = 0.3
# Charsets of pairs of bytes: short texts in them, read two bytes at a time, may look like Chinese.
_PAIRS = ("gb18030", "big5", "cp932", "euc_jp", "euc_kr")


def _wide(head: bytes) -> str | None:
    """UTF-16 or UTF-32 by where its zero bytes stand, or by what it says; None where it is neither."""
    whole = head[: len(head) // 4 * 4]
    zeros = [whole[byte::4].count(0) / max(1, len(whole) // 4) for byte in range(4)]
    if len(whole) >= 8 and zeros[3] > 0.99 and zeros[2] > 0.9 and zeros[0] < 0.1:
        return "utf-32-le"
    if len(whole) >= 8 and zeros[0] > 0.99 and zeros[1] > 0.9 and zeros[3] < 0.1:
        return "utf-32-be"
    pairs = max(1, len(head) // 2)
    even, odd = head[0::2].count(0) / pairs, head[1::2].count(0) / pairs
    if odd > 0.3 and even < 0.01:
        return "utf-16-le"
    if even > 0.3 and odd < 0.01:
        return "utf-16-be"
    return wide_by_text(head)


def wide_by_text(payload: bytes) -> str | None:
    """The order of UTF-16 in which bytes say something; None for neither.

    Chinese has few zero bytes in it, those of blanks and line ends, or none.
    """
    head = payload[:_HEAD_BYTES]
    even_length = head[: len(head) // 2 * 2]
    best = max(
        ("utf-16-le", "utf-16-be"),
        key=lambda encoding: plausibility(even_length.decode(encoding, "replace")),
    )
    text = even_length.decode(best, "replace")
    says = plausibility(text)
    if says < _LEAST_CHINESE or re.search(r"[\x00-\x08\x0e-\x1f]", text):
        return None
    says_less = all(plausibility(head.decode(pairs, "replace")) <= says for pairs in _PAIRS)
    return best if says_less else None


def _read_japanese(error: UnicodeError) -> tuple[str, int]:
    """A pair of bytes that JIS X 0208 does not have, by Windows' table of the same rows."""
    assert isinstance(error, UnicodeDecodeError)
    pair = bytes(byte & 0x7F for byte in error.object[error.start : error.start + 2])
    if len(pair) == 2 and all(0x21 <= byte <= 0x7E for byte in pair):
        row, cell = pair[0] - 0x21, pair[1] - 0x21
        lead = row // 2 + (0x81 if row < 62 else 0xC1)
        trail = cell + 0x9F if row % 2 else cell + 0x40 + (cell >= 63)
        try:
            return bytes((lead, trail)).decode("cp932"), error.start + 2
        except UnicodeDecodeError:
            return "\ufffd", error.start + 2
    return "\ufffd", max(error.start + 1, error.end if error.end - error.start < 2 else 0)


def _read_windows(error: UnicodeError) -> tuple[str, int]:
    """An undefined byte as the control character of its number, where it is one."""
    assert isinstance(error, UnicodeDecodeError)
    byte = error.object[error.start]
    return (chr(byte) if byte < 0xA0 else "\ufffd"), error.start + 1


codecs.register_error(_JAPANESE, _read_japanese)
codecs.register_error(_WINDOWS, _read_windows)
