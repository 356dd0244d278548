import pytest

from refinery.extract.config import ExtractConfig
from refinery.extract.limits import PageRejected
from refinery.extract.page import extract_page

CONFIG = ExtractConfig()
CHINESE = "中文网页的内容应当正确地解码，标点也一样。" * 5
SAMPLES = [
    ("gb18030", CHINESE),
    ("big5", "繁體中文網頁的內容應當正確地解碼。" * 5),
    ("shift_jis", "日本語のページは正しく読めるはずです。" * 5),
    ("euc_kr", "한국어 페이지는 올바르게 읽혀야 합니다. " * 5),
    ("windows-1251", "Русские страницы должны читаться верно. " * 5),
]


def page_of(text: str, encoding: str, meta: str | None = None) -> bytes:
    head = f'<meta charset="{meta}">' if meta else ""
    return f"<html><head>{head}</head><body><article><p>{text}</p></article></body></html>".encode(
        encoding
    )


def text_of(payload: bytes, charset: str | None = None) -> str:
    return extract_page(payload, mime="text/html", charset=charset, config=CONFIG).text


@pytest.mark.parametrize(("encoding", "text"), SAMPLES)
def test_charset_from_header_meta_or_detector(encoding: str, text: str) -> None:
    assert text.strip() in text_of(page_of(text, encoding), encoding)
    assert text.strip() in text_of(page_of(text, encoding, meta=encoding))
    assert text.strip() in text_of(page_of(text, encoding))


def test_a_byte_order_mark_beats_the_header() -> None:
    payload = b"\xef\xbb\xbf" + page_of(CHINESE, "utf-8", meta="big5")

    assert CHINESE in text_of(payload, "gb18030")


def test_the_header_beats_the_meta_tag() -> None:
    assert CHINESE in text_of(page_of(CHINESE, "gb18030", meta="windows-1251"), "gb18030")


def test_plain_text_is_only_decoded() -> None:
    page = extract_page(b"a <b>c</b>\n", mime="text/plain", charset=None, config=CONFIG)

    assert page.text == "a <b>c</b>\n"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"<div>" * 200_000, "page:depth"),
        (b"<p " + b"a=1 " * 50_000 + b">x", "page:attributes"),
        (b"<p>" * 500_000, "page:tags"),
        (b"<p a='" + b"x" * 5_000_000 + b"'>x", "page:tag_bytes"),
        (b"x" * 11_000_000, "page:bytes"),
        (b"PK\3\4\0\0\0\0", "page:binary"),
    ],
    ids=["nested div", "attributes", "siblings", "attribute", "size", "binary"],
)
def test_hostile_pages_are_rejected_before_a_parser_sees_them(payload: bytes, reason: str) -> None:
    with pytest.raises(PageRejected) as caught:
        text_of(payload)

    assert caught.value.reason == reason
