"""Decoding in the order of the HTML standard, and by the bytes alone where nothing is declared."""

import codecs

import pytest

from refinery.text.charset import decode

CHINESE = "今天天气很好，我们去公园散步。" * 20
KOREAN = "오늘은 날씨가 좋아서 공원에 갔다. " * 20
FRENCH = "Été à Noël, un élève préféra l'école où il était né. " * 20


@pytest.mark.parametrize(
    ("bom", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)  # fmt: skip
def test_a_byte_order_mark_is_believed_and_leaves_the_text(bom: bytes, encoding: str) -> None:
    decoded = decode(bom + "a€".encode(encoding), "gbk", is_html=True)

    assert (decoded.text, decoded.encoding, decoded.num_replaced) == ("a€", encoding, 0)
    assert not decoded.is_misdeclared


@pytest.mark.parametrize(
    "declaration",
    ['<meta charset="gbk">', "<META http-equiv=x content='text/html; charset=GBK'>",
     '<?xml version="1.0" encoding="gb2312"?>'],
)  # fmt: skip
def test_a_page_declares_its_charset_in_a_meta_tag_or_in_xml(declaration: str) -> None:
    decoded = decode((declaration + CHINESE).encode("gbk"), None, is_html=True)

    assert decoded.text == declaration + CHINESE
    assert decoded.encoding == "gb18030"  # the superset that browsers read gbk by


def test_text_declares_no_charset() -> None:
    text = '<meta charset="gbk">' + FRENCH

    assert decode(text.encode(), None, is_html=False).text == text


def test_a_page_that_names_utf_16_in_ascii_is_utf_8() -> None:
    decoded = decode(b'<meta charset="utf-16">\xe2\x82\xac', None, is_html=True)

    assert (decoded.text[-1], decoded.encoding) == ("€", "utf-8")


def test_one_bad_character_in_a_thousand_is_forgiven() -> None:
    good = decode(b"a" * 999 + b"\xff", "utf-8", is_html=False)
    bad = decode(b"a" * 997 + b"\xff\xff", "utf-8", is_html=False)

    assert (good.encoding, good.num_replaced, good.is_misdeclared) == ("utf-8", 1, False)
    assert bad.is_misdeclared


def test_a_replacement_character_of_the_page_itself_is_no_error() -> None:
    decoded = decode("a\ufffdb".encode(), "utf-8", is_html=False)

    assert (decoded.text, decoded.num_replaced) == ("a\ufffdb", 0)


@pytest.mark.parametrize("label", [None, "", "no-such-charset", "  UTF-8 "])
def test_an_unknown_label_is_passed_over(label: str | None) -> None:
    decoded = decode(FRENCH.encode(), label, is_html=False)

    assert decoded.text == FRENCH
    assert not decoded.is_misdeclared


@pytest.mark.parametrize(
    ("text", "encoding"), [(CHINESE, "gb18030"), (KOREAN, "cp949"), (FRENCH, "cp1252")]
)
def test_undeclared_bytes_are_told_by_their_pairs(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), None, is_html=False).text == text
