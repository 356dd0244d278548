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
    ("iso-8859-1", "Où est passé l'été ? À la bibliothèque, où naît une idée dorée. " * 5),
    ("windows-1252", "„Größe“ – das heißt: Maße, Flüsse und Brücken, für 5 € je Stück. " * 5),
    ("iso-8859-2", "Zażółć gęślą jaźń, a wtedy źródło będzie już czyste i pełne. " * 5),
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


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("Shift_JIS", "cp932", "①番の㈱日本商事は、髙島屋のとなりにあります。" * 5),
        ("x-sjis", "cp932", "Ⅲ巻は№７から読みます。" * 9),
        ("EUC-KR", "cp949", "똠방각하와 펲시콜라를 샾에서 찾았습니다. " * 5),
        ("Big5", "big5hkscs", "佢哋喺嗰度嘅，我哋唔知㗎。" * 9),
        ("gb2312", "gb18030", "朱镕基與𠮷野家，繁體也在其中。" * 9),
    ],
)  # fmt: skip
def test_old_names_read_what_browsers_read(label: str, codec: str, text: str) -> None:
    page = extract_page(page_of(text, codec), mime="text/html", charset=label, config=CONFIG)

    assert text.strip() in page.text
    assert (page.num_replaced, page.is_misdeclared) == (0, False)


def test_a_charset_that_does_not_fit_gives_way_and_is_counted() -> None:
    payload = page_of(CHINESE, "gb18030", meta="gb18030")

    wrong, right = (
        extract_page(payload, mime="text/html", charset=charset, config=CONFIG)
        for charset in ("utf-8", "gb18030")
    )

    assert wrong.text == right.text
    assert CHINESE in right.text
    assert (wrong.is_misdeclared, right.is_misdeclared) == (True, False)


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
        (b"<p>" + b"x" * 3_000_000, "page:run_bytes"),
        (b"PK\3\4\0\0\0\0", "page:binary"),
        (b"%PDF-1.4\nBT (Hello, this is text) Tj ET\n", "page:not_html"),
        (b' {"text": "Hello, this is text", "more": [1, 2]}\n', "page:not_html"),
        (b".a { color: red; }\n.b { margin: 0; padding: 1px }\n", "page:not_html"),
        (b"function f(a) { return a + 1; }\nf(2);\n", "page:not_html"),
    ],
    ids=[
        "nested div",
        "attributes",
        "siblings",
        "attribute",
        "size",
        "run",
        "binary",
        "PDF",
        "JSON",
        "CSS",
        "JavaScript",
    ],
)
def test_hostile_pages_are_rejected_before_a_parser_sees_them(payload: bytes, reason: str) -> None:
    with pytest.raises(PageRejected) as caught:
        text_of(payload)

    assert caught.value.reason == reason


@pytest.mark.parametrize("cut", [2_000_000, 2_000_001])
def test_the_longest_run_is_bounded_inclusively(cut: int) -> None:
    payload = b"a " + b"x" * cut + b"\nb"

    if cut > CONFIG.limits.max_run_bytes:
        with pytest.raises(PageRejected, match="2000001 run bytes, at most 2000000"):
            extract_page(payload, mime="text/plain", charset=None, config=CONFIG)
    else:
        page = extract_page(payload, mime="text/plain", charset=None, config=CONFIG)
        assert page.text == payload.decode()


def test_prose_without_a_tag_is_a_page() -> None:
    text = b"A letter; it has no tags at all.\nIt is text {as it was}, and goes on like this for long, as prose does."

    assert text_of(text).startswith("A letter; it has no tags at all.")
