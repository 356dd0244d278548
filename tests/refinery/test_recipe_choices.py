"""Choices of the recipe that act inside a page, through the whole cleaner."""

from __future__ import annotations

from typing import Any

import pytest

from refinery.clean.cleaner import Cleaner
from refinery.clean.config import CleanConfig
from refinery.clean.pages import CleanDocument, Payload

WORDS = "The river that runs through the old town has been measured every year since the flood"
SEEN = "heavy rain in spring raised the water over the lower arch, and the mill was closed"
ROWS = "".join(
    f"<tr><td>In the year {y}</td><td>{SEEN} for {y % 50} days</td></tr>" for y in range(1901, 1909)
)
FIRST = f"In the year 1901 | {SEEN} for 1 days"
PAGE = f"""<html><body><main><article><h1>The river</h1>
<p>{WORDS}. <img src="map.png" alt="map of the river"> {WORDS.lower()}.</p>
<p>{WORDS}, with <math><semantics><mi>h</mi><annotation encoding="application/x-tex">h^2
</annotation></semantics></math> as its height in metres, and {WORDS.lower()}.</p>
<table><tr><th>Year of the measure</th><th>What was seen at the bridge</th></tr>{ROWS}</table>
<p>{WORDS}. {WORDS}.</p></article></main></body></html>"""


def cleaned(data: bytes | str, mime: str = "text/html", **settings: Any) -> CleanDocument:
    rules = settings.pop("rules", {"enabled": False})
    plain = {"language": {"min_score": None}, "rules": rules, "extract": settings}
    payload = data.encode() if isinstance(data, str) else data
    with Cleaner(CleanConfig.model_validate(plain), {}) as cleaner:
        (document,) = cleaner.clean([Payload(payload, mime, "utf-8")])
    assert isinstance(document, CleanDocument)
    return document


@pytest.mark.parametrize(
    ("settings", "table"),
    [
        ({}, f"Year of the measure | What was seen at the bridge\n{FIRST}\n"),
        (
            {"tables": "markdown"},
            f"| Year of the measure | What was seen at the bridge |\n| --- | --- |\n| {FIRST} |\n",
        ),
        (
            {"structure": "markdown", "tables": "plain"},
            f"Year of the measure | What was seen at the bridge\n{FIRST}\n",
        ),
        ({"tables": "drop"}, None),
    ],
    ids=["as structure", "markdown", "plain", "drop"],
)
def test_tables_have_the_form_that_the_recipe_names(
    settings: dict[str, str], table: str | None
) -> None:
    text = cleaned(PAGE, **settings).page.text

    assert f"\n\n{table}" in text if table else "1901" not in text
    assert text.count("flood") == 6  # what stands around the table stays
    assert ("\n| " in text) == (settings.get("tables") == "markdown")


def test_texts_of_images_come_by_choice() -> None:
    assert "map of the river" not in cleaned(PAGE).page.text
    assert "map of the river" in cleaned(PAGE, image_text=True).page.text


@pytest.mark.parametrize(
    ("settings", "formula"),
    [({}, "$h^2$ "), ({"formulas": "drawn"}, "h "), ({"formulas": "drop"}, "")],
)
def test_a_formula_is_its_tex_or_what_is_drawn_or_nothing(
    settings: dict[str, str], formula: str
) -> None:
    assert f"with {formula}as its height" in cleaned(PAGE, **settings).page.text


FIVE = "One is here. Two is here. Three is here. Four is here. Five is here."


@pytest.mark.parametrize(
    ("text", "lines", "reasons"),
    [
        (FIVE, [], []),
        (FIVE.removesuffix(" Five is here."), [], ["c4:sentences"]),
        # C4 counts what its line rules leave: the last line has no mark at its end.
        (
            FIVE.replace(" Five is here.", "\nFive is here. Six is not ended"),
            ["c4"],
            ["c4:sentences"],
        ),
        ("这是一。这是二！这是三？这是四。这是五。", [], []),
        ("这是一。这是二！这是三？这是四。", [], ["c4:sentences"]),
    ],
)
def test_c4_wants_five_sentences(text: str, lines: list[str], reasons: list[str]) -> None:
    names = ["c4:sentences"]
    rules = {"optional": names, "lines": lines, "max_removed_words": None}

    document = cleaned(text, "text/plain", rules=rules)

    assert [reason for reason in document.reasons if reason in names] == reasons
    assert document.values["sentences"] == (5.0 if not reasons else 4.0)
