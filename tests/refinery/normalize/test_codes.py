from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.refinery.codes import NOT_READ, READ
from refinery.normalize.codes import _common_forms, _forms, _lists, _typed, replace_codes
from refinery.normalize.gate import scan


def replaced(text: str) -> str:
    return replace_codes(text, scan(text))[0]


@pytest.mark.parametrize("kind", ["emoticons", "kaomoji"])
def test_every_form_is_found_at_the_end_of_talk(kind: str) -> None:
    missed = []
    for form, (_, english) in _forms(kind).items():
        talk = "I hope you like what you see on our new page"
        if replaced(f"{talk} {form}") != f"{talk} {english}":
            missed.append(form)

    assert missed == []


@pytest.mark.parametrize(("text", "word"), READ.items())
def test_codes_in_talk_are_read(text: str, word: str) -> None:
    assert word in replaced(text)


@pytest.mark.parametrize("text", NOT_READ)
def test_the_same_signs_elsewhere_stay(text: str) -> None:
    assert replaced(text) == text


def test_common_forms_need_no_talk_but_the_end_of_a_sentence() -> None:
    assert replaced("Keep it simple. ;-)") == "Keep it simple. wink"
    assert replaced("Storefront of the shop :) Next page") == "Storefront of the shop :) Next page"
    assert replaced("a picture of a heart <3") == "a picture of a heart <3"
    assert _common_forms() < set(_forms("emoticons"))


FENCED = "I love this one :)\n\n```\ngreet(name) # you rock :)\nhi :)\n```\n\nthanks again :)\n"
INDENTED = "I love this one :)\n\n    you rock :)\n    hi :)\n\nthanks again :)\n"
UNFENCED = "I love this one :)\n\nfor (;;) { greet(you); }\nyou rock :)\n\nthanks again :)\n"


@pytest.mark.parametrize("text", [FENCED, INDENTED, UNFENCED])
def test_listings_inside_of_talk_stay(text: str) -> None:
    first, *listing, last = text.strip().split("\n\n")

    assert replaced(text) == "\n\n".join(
        [first.replace(":)", "smile"), *listing, last.replace(":)", "smile") + "\n"]
    )


def test_comments_of_a_source_file_are_code_too() -> None:
    source = "import os\n\n# thanks to you all :)\n\ndef run(a):\n    return a[ok]\n\nx = 3\n"

    assert replaced(source) == source


def test_a_fence_that_nothing_closes_goes_on_to_the_end() -> None:
    text = "you see :)\n\n~~~\nyou see :)\n\nyou see :)\n"

    assert replaced(text) == "you see smile\n\n~~~\nyou see :)\n\nyou see :)\n"


def test_field_lists_of_rest_keep_their_names() -> None:
    fields = ":copyright: (c) 2010 by you\n:date: see below, you know\n:key: your key\n"

    assert replaced(fields) == fields


def test_no_code_of_the_list_is_a_number() -> None:
    assert [code for code in _lists().codes if code.isdigit()] == []


def test_stickers_are_chinese_only() -> None:
    assert replaced("你好啊[doge]") == "你好啊[狗头]"
    assert replaced("you are funny [doge] lol") == "you are funny [doge] lol"
    assert replaced("The sign [泪] is read by you!") == "The sign [泪] is read by you!"


FORMS = [*_forms("emoticons"), *_forms("kaomoji")]
PIECES = st.one_of(
    st.sampled_from(FORMS), st.sampled_from([*"xXDTO_QAor.:;)(-^<3 \n", "词", "http://"])
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_the_scan_misses_no_form_that_the_text_holds(text: str) -> None:
    pattern, starts = _typed(text, scan(text))

    held = {re.escape(form) for form in FORMS if form in text}
    sought = pattern.pattern if pattern is not None else ""
    assert {form for form in held if form not in sought} == set()
    assert (pattern is None) == (not held)
    matches = {match.start() for match in pattern.finditer(text)} if pattern else set()
    assert matches <= set(starts)
