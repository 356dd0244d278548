"""Spans that explain a verdict, on texts where the span is plain."""

from __future__ import annotations

import pytest

from refinery.filters.locate import offending_span
from refinery.filters.shipped_rules import checked_in_rules

REPEATED = "First line.\nSecond line.\nFirst line.\nLast."


@pytest.mark.parametrize(
    ("reason", "text", "found"),
    [
        ("repetition:dup_lines", REPEATED, "First line."),
        ("repetition:dup_paragraphs", "a b\nc\n\nx\n\na b\nc\n\ny", "a b\nc"),
        ("repetition:top_2gram", "buy now, or buy NOW and buy now", "buy NOW"),
        ("repetition:dup_5gram", "今天天气很好。今天天气很好。", "今天天气很"),
        ("gopher:ellipsis_lines", "One.\nRead more...\nTwo.", "Read more..."),
        ("gopher:bullet_lines", "Title\n• first", "• first"),
        ("gopher:hash_ratio", "see ## here", "##"),
        ("fineweb:short_lines", "x" * 40 + "\nshort\n", "short"),
        ("fineweb:line_punctuation", "It ends.\nIt does not\n", "It does not"),
        ("fineweb:newlines", "a\nb\n\nc", "\n\n"),
    ],
)
def test_the_span_is_named(reason: str, text: str, found: str) -> None:
    span = offending_span(text, reason)

    assert span is not None
    assert text[slice(*span)] == found


@pytest.mark.parametrize("reason", ["gopher:words", "language:unsure", "quality:score", "none"])
def test_reasons_about_the_whole_document_have_no_span(reason: str) -> None:
    assert offending_span(REPEATED, reason) is None


def test_no_text_has_no_span_for_any_rule() -> None:
    names = {rule.name for rules in checked_in_rules().values() for rule in rules}

    assert [offending_span("", name) for name in sorted(names)] == [None] * len(names)


def test_the_second_occurrence_is_shown_not_the_first() -> None:
    assert offending_span(REPEATED, "repetition:dup_lines") == (25, 36)
