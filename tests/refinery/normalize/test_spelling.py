"""Only plain English words are corrected, and only to frequent ones."""

import pytest

pytest.importorskip("symspellpy", reason="the extra `language` is absent")

from refinery.normalize.spelling import SpellingConfig, correct_spelling

CONTEXT = "The people of the town have always known that there is water in the house. "
CONFIG = SpellingConfig()


def corrected(text: str, config: SpellingConfig = CONFIG) -> tuple[str, int]:
    fixed, count = correct_spelling(CONTEXT + "\n" + text, config)
    return fixed.removeprefix(CONTEXT + "\n"), count


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("a beautifull day", "a beautiful day"),
        ('he said "becuase" (goverment).', 'he said "because" (government).'),
    ],
)
def test_a_misspelt_word_becomes_a_frequent_one(text: str, fixed: str) -> None:
    assert corrected(text)[0] == fixed


@pytest.mark.parametrize(
    "text",
    [
        "Goverment",  # a name, perhaps
        "goverment_id beautifull.com",  # not between blanks
        "    goverment",  # code by indentation
        "return goverment;",
        "```\ngoverment\n```",
        "teh",  # too short
    ],
)
def test_names_code_and_short_words_stay(text: str) -> None:
    assert corrected(text) == (text, 0)


def test_a_text_of_unknown_words_stays() -> None:
    text = "goverment von der Regierung heute beschlossen worden sein soll"

    assert correct_spelling(text, CONFIG) == (text, 0)


@pytest.mark.slow
def test_bounds_decide_how_far_and_how_frequent() -> None:
    two_edits = "the goverrnmnt of the day"

    assert corrected(two_edits) == (two_edits, 0)
    assert corrected(two_edits, SpellingConfig(max_edits=2)) == ("the government of the day", 1)
    assert corrected("a beautifull day", SpellingConfig(min_count=10**12))[1] == 0
