"""What a language model gets to read of a text."""

import pytest

from refinery.language.samples import sample_of


@pytest.mark.parametrize(
    ("text", "sample"),
    [
        ("One\n two", "One two"),
        ("ALL CAPS, Nearly", "all caps, nearly"),
        ("Ｆｕｌｌ ｗｉｄｔｈ", "Full width"),
        ("𝐛𝐨𝐥𝐝 ᴀɴᴅ sᴍᴀʟʟ", "bold and small"),
        ("2024-01-01 12:00 | 17 | read me", "read me"),
        ("12 34", ""),
        ("ที่นี่มีที่นั่ง", "ที่นี่มีที่นั่ง"),  # half of it is marks
    ],
)
def test_sample(text: str, sample: str) -> None:
    assert sample_of(text, 100) == sample


def test_words_are_looked_for_behind_a_table_of_numbers() -> None:
    assert sample_of("1 2 3\n" * 30 + "the words", 100) == "the words"
