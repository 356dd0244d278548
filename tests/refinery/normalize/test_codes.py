from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinery.normalize.codes import _forms, _typed, replace_codes
from refinery.normalize.gate import scan


@pytest.mark.parametrize("kind", ["emoticons", "kaomoji"])
def test_every_form_is_found_between_blanks(kind: str) -> None:
    missed = []
    for form, (_, english) in _forms(kind).items():
        text = f"an English sentence {form} that goes on"
        if replace_codes(text, scan(text))[0] != f"an English sentence {english} that goes on":
            missed.append(form)

    assert missed == []


FORMS = [*_forms("emoticons"), *_forms("kaomoji")]
PIECES = st.one_of(
    st.sampled_from(FORMS), st.sampled_from([*"xXDTO_QAor.:;)(-^<3 \n", "词", "http://"])
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_the_scan_misses_no_form_that_the_text_holds(text: str) -> None:
    pattern = _typed(text, scan(text))

    held = {re.escape(form) for form in FORMS if form in text}
    sought = pattern.pattern if pattern is not None else ""
    assert {form for form in held if form not in sought} == set()
    assert (pattern is None) == (not held)
