"""Legacy charsets as browsers read them, and what bytes alone betray."""

from __future__ import annotations

import random

import pytest

from refinery.text.charset import decode, is_wide
from refinery.text.plausibility import plausibility
from refinery.text.web_codecs import decode_web, encoding_of_label, unmarked_encoding, wide_by_text

JAPANESE = "研究会の記録は、毎年一回、三月に公開されます。彼は東京の学校に行きました。\n" * 4
VENDOR = "①②③㈱№℡"
SIMPLIFIED = "今天天气很好，我们去公园散步，看见许多人在那里运动。\n" * 4
TRADITIONAL = "今天的天氣很好，我們去公園散步，看見許多人在那裡運動。\n" * 4
KOREAN = "오늘은 날씨가 좋아서 공원에 갔다. 많은 사람들이 있었다.\n" * 4
# Row 13 of JIS X 0208, which the vendors filled: cells 1, 2, 3, 74, 66 and 68.
ROW_13 = bytes.fromhex("ada1ada2ada3adeaade2ade4")


def euc(text: str) -> bytes:
    return text.encode("euc_jp") + ROW_13


def test_euc_jp_has_the_vendors_row() -> None:
    decoded = decode(euc(JAPANESE), "euc-jp", is_html=False)

    assert (decoded.text, decoded.encoding, decoded.num_replaced) == (
        JAPANESE + VENDOR,
        "euc_jp",
        0,
    )


def test_iso_2022_jp_has_it_too_and_needs_no_declaration() -> None:
    row = bytes(byte & 0x7F for byte in ROW_13)
    payload = JAPANESE.encode("iso2022_jp") + b"\x1b$B" + row + b"\x1b(B"

    assert decode(payload, None, is_html=False).text == JAPANESE + VENDOR
    assert decode(payload, "utf-8", is_html=False).is_misdeclared


def test_hz_is_told_from_a_tilde_before_a_brace() -> None:
    assert decode(SIMPLIFIED.encode("hz"), None, is_html=False).text == SIMPLIFIED
    for text in ("a ~{ b } and ~{c~}", "~{x~} ~{yy} ~{z}", "regex ~{4,6~}"):
        assert decode(text.encode(), None, is_html=False).text == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "text",
    [SIMPLIFIED, SIMPLIFIED.replace("\n", ""), JAPANESE, "English words only, for once. " * 9],
)
def test_wide_characters_need_no_mark(encoding: str, text: str) -> None:
    payload = text.encode(encoding)

    assert decode(payload, None, is_html=False).text == text
    assert b"\0" not in payload or is_wide(payload)


@pytest.mark.parametrize(
    "text", ["今天", "他說好。", "上海的天氣很好\n上海", "id,text\n1,今天天氣很好,\n我們去"]
)
def test_short_texts_of_double_byte_charsets_are_not_wide(text: str) -> None:
    assert wide_by_text(text.encode("big5")) is None
    assert wide_by_text(text.encode("utf-16-le")) == "utf-16-le"


def test_binary_bytes_are_not_wide() -> None:
    assert not is_wide(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0\x08\x06\0\0\0")
    assert not is_wide(bytes(range(256)) * 4)
    assert wide_by_text("naïve café, déjà vu".encode("latin-1")) is None


def test_bytes_that_are_no_text_are_counted_as_bad() -> None:
    noise = random.Random(0).randbytes(4000).replace(b"\0", b"a")

    for label in (None, "utf-8"):
        assert decode(noise, label, is_html=False).num_replaced > 400
    assert not is_wide(b"a\0b")


def test_windows_1252_has_no_undefined_byte() -> None:
    assert decode_web(b"a\x9db\x93", "cp1252") == "a\x9db\u201c"


@pytest.mark.parametrize(
    ("label", "text"),
    [("gb2312", SIMPLIFIED), ("big5", TRADITIONAL), ("euc-kr", KOREAN), ("euc-jp", JAPANESE), ("shift_jis", JAPANESE)],
)  # fmt: skip
class TestDeclarations:
    def test_one_that_nearly_fits_wins_over_a_guess(self, label: str, text: str) -> None:
        encoding = encoding_of_label(label)
        assert encoding is not None
        payload = b"\xff\n".join(line.encode(encoding) for line in text.split("\n"))

        decoded = decode(payload, label, is_html=False)

        assert decoded.encoding == encoding
        assert decoded.text.replace("\ufffd", "").replace("\uf8f3", "") == text
        assert not decoded.is_misdeclared

    def test_one_that_fits_any_bytes_gives_way(self, label: str, text: str) -> None:
        encoding = encoding_of_label(label)
        assert encoding is not None

        decoded = decode(text.encode(encoding), "iso-8859-1", is_html=False)

        assert (decoded.text, decoded.is_misdeclared) == (text, True)


def test_a_french_page_that_says_utf_8_is_latin_1() -> None:
    text = "Été à Noël, un élève préféra l'école où il était né. " * 20

    decoded = decode(text.encode("cp1252"), "utf-8", is_html=False)

    assert (decoded.text, decoded.is_misdeclared) == (text, True)


def test_utf_8_with_bad_bytes_stays_utf_8() -> None:
    payload = SIMPLIFIED.encode().replace(b"\n", b"\xff\n")

    decoded = decode(payload, "utf-8", is_html=False)

    assert (decoded.encoding, decoded.num_replaced) == ("utf-8", 4)


def test_the_meta_tag_counts_where_the_header_does_not_fit() -> None:
    page = f'<meta charset="gb2312"><p>{SIMPLIFIED}'

    decoded = decode(page.encode("gb18030"), "utf-8", is_html=True)

    assert (decoded.text, decoded.is_misdeclared) == (page, True)


@pytest.mark.parametrize(
    ("label", "encoding"),
    [
        ("GB2312", "gb18030"), ("x-gbk", "gb18030"), ("big5-hkscs", "big5hkscs"), ("ks_c_5601-1987", "cp949"),
        ("x-sjis", "cp932"), ("hz-gb-2312", "hz"), ("iso-2022-kr", "iso2022_kr"), ("utf-32le", "utf-32-le"),
        ("latin1", "cp1252"), ("nonsense", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_labels_are_those_of_the_web(label: str | None, encoding: str | None) -> None:
    assert encoding_of_label(label) == encoding


def test_text_says_more_than_bytes_read_by_another_charset() -> None:
    right = plausibility(JAPANESE)
    wrong = plausibility(JAPANESE.encode("euc_jp").decode("gb18030", "replace"))

    assert right > 0.7
    assert wrong < 0.5
    assert plausibility("plain ASCII") == 0.5
    assert plausibility(SIMPLIFIED.encode("gb18030").decode("latin-1")) < 0
    assert unmarked_encoding(SIMPLIFIED.encode()) is None
