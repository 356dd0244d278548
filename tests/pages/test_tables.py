"""Tables that say what is a number, facts and meters."""

from __future__ import annotations

from pages.tables import escaped, facts, meter, table


def test_numbers_are_told_from_words_and_groups_span_columns() -> None:
    page = table("Counts", ("name", "a", "b", ""), [("x", "1", "2", "more")],
                 groups=(("", 1), ("both", 2)), ends_in_words=True)  # fmt: skip

    assert page.count('<th scope="col" class=n>') == 2
    assert page.count("<td class=n>") == 2
    assert '<th scope="colgroup" colspan="2">both</th>' in page
    assert page.endswith("<td>more</td></tr></tbody></table></div>")


def test_an_empty_table_says_so() -> None:
    assert table("A & B", ("name",), []) == "<p class=none>A &amp; B: none.</p>"


def test_plain_text_is_escaped() -> None:
    assert escaped(("a < b", "x")) == ("a &lt; b", "x")
    assert facts({"n<": "1>"}) == '<dl class="facts"><div><dt>n&lt;</dt><dd>1&gt;</dd></div></dl>'


def test_a_meter_says_its_share() -> None:
    assert 'aria-label="kept: 25.0%"' in meter(1, 4, "kept")
    assert 'aria-label="none: 0.0%"' in meter(0, 0, "none")
