"""Blanks of a text and the spans that fill them."""

from __future__ import annotations

from train.generation.infill import filled, spans_of, with_sentinels

SENTINELS = [99, 98, 97]


def test_blanks_become_numbered_sentinels() -> None:
    blank = with_sentinels("the ___ sat on <extra_id_7> mat")

    assert blank.text == "the <extra_id_0> sat on <extra_id_1> mat"
    assert blank.count == 2


def test_spans_stop_at_the_next_sentinel_and_skipped_ones_are_empty() -> None:
    assert spans_of([99, 4, 5, 97, 6], SENTINELS, 2) == [[4, 5], []]
    assert spans_of([3, 98, 7, 99, 8], SENTINELS, 2) == [[8], [7]]


def test_spans_fill_the_blanks_in_order() -> None:
    assert filled("the ___ sat on ____.", [" cat", "the mat "]) == "the cat sat on the mat."
    assert filled("中___文", ["间"]) == "中间文"
