"""Bounds on bytes, each at its edge, and the depth against a plain count."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinery.extract.config import PageLimits
from refinery.extract.limits import (
    PageRejected,
    check_is_html,
    check_page,
    check_text,
    has_longer_run,
)

NO_DEPTH = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr", "p", "li", "dt", "dd", "option", "tr", "td", "th", "thead", "tbody", "tfoot",
    "colgroup", "rb", "rt", "rp",
}  # fmt: skip


def reason(payload: bytes, **limits: int) -> str | None:
    try:
        check_page(payload, PageLimits(**limits))
    except PageRejected as error:
        return error.reason
    return None


def depth(page: str) -> int:
    """Containers open at once, at most."""
    now = most = 0
    for closing, name, rest in re.findall(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*)>", page):
        if name.lower() not in NO_DEPTH and not rest.endswith("/"):
            now = max(0, now + (-1 if closing else 1))
            most = max(most, now)
    return most


TAGS = st.sampled_from([
    "<div>", "</div>", "<DIV>", "<p>", "</p>", "<pre>", "</pre>", "<b>", "</b>", "<br>", "</br>",
    "<br/>", "<div/>", "</div", "<i", "<li>", "</li>", "<link>", "</link>", "<td>", "</td>", "text",
    "<!-- -->", "<thing>", "</thing>", "<hr>", "<header>", "</header>",
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(TAGS, max_size=40).map("".join), st.integers(1, 6))
def test_the_depth_is_bounded_as_a_plain_count_says(page: str, most: int) -> None:
    assert reason(page.encode(), max_depth=most) == ("page:depth" if depth(page) > most else None)


@pytest.mark.parametrize(
    ("page", "limit", "expected"),
    [
        (b"<p>" + b"a" * 7, {"max_bytes": 10}, None),
        (b"<p>" + b"a" * 8, {"max_bytes": 10}, "page:bytes"),
        (b"<p><p>", {"max_tags": 2}, None),
        (b"<p><p><p>", {"max_tags": 2}, "page:tags"),
        (b"<p " + b"a" * 6 + b">b", {"max_tag_bytes": 8}, None),
        (b"<p " + b"a" * 7 + b">b", {"max_tag_bytes": 8}, "page:tag_bytes"),
        (b"<p>aaaa bb", {"max_run_bytes": 4}, None),
        (b"<p>aaaaa bb", {"max_run_bytes": 4}, "page:run_bytes"),
        (b"<p a=1 b=2 c=3>", {"max_attributes": 3}, None),
        (b"<p a=1 b=2 c=3 d=4>", {"max_attributes": 3}, "page:attributes"),
        (b'<p a="1 2 3 4 5 6 7 8">', {"max_attributes": 3}, None),
        (b"", {"max_bytes": 10}, None),
    ],
)
def test_a_bound_is_inclusive(page: bytes, limit: dict[str, int], expected: str | None) -> None:
    assert reason(page, **limit) == expected


def test_plain_text_has_bounds_of_size_and_of_runs_alone() -> None:
    limits = PageLimits(max_bytes=20, max_run_bytes=5, max_tags=1)

    check_text(b"<p> <p> <p>", limits)
    for text in (b"a " * 11, b"aaaaaa b"):
        with pytest.raises(PageRejected):
            check_text(text, limits)


@pytest.mark.parametrize(
    "payload",
    [b"%PDF-1.7 <html>", b"\n PK\3\4", b"\x89PNG", b'{"a": "b"}', b"[1, 2]",
     b"var a = 1; function b() { return a; }", b"a {color: red}"],
)  # fmt: skip
def test_other_formats_and_code_are_no_pages(payload: bytes) -> None:
    with pytest.raises(PageRejected) as error:
        check_is_html(payload)

    assert error.value.reason == "page:not_html"


@pytest.mark.parametrize(
    "payload",
    [b"", b"  \n", b"Only prose; without a tag, but long enough.", b"{<b>a</b>}", b"1 < 2 and 3 > 2"],
)  # fmt: skip
def test_prose_and_tags_are_pages(payload: bytes) -> None:
    check_is_html(payload)


@pytest.mark.parametrize("seed", range(20))
def test_a_longer_run_is_told_without_a_look_at_every_byte(seed: int) -> None:
    """Against the runs that a split gives; breaks are rare enough for both answers."""
    source = random.Random(seed)
    payload = bytes(source.choices(b"ab\xe6< >\n\t\r\f\v\0", [60, 60, 60, *[1] * 9], k=200))
    runs = [len(run) for run in re.split(rb"[ \t\n\r\f\v\0<>]", payload)]

    for most in range(1, 60):
        assert has_longer_run(payload, most) == (max(runs) > most)
    assert not has_longer_run(b"", 1)
