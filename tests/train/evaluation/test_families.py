"""What is one word to PLL-word-l2r, and where contexts end."""

from __future__ import annotations

import re
from typing import Any

import pytest

from train.evaluation.families import Codes, DecoderRows
from train.evaluation.items import Candidate


class Pieces:
    """Pieces of at most two letters or digits, single signs; a Chinese character is two tokens."""

    def __call__(self, text: str, **_: Any) -> dict[str, Any]:
        spans = [found.span() for found in re.finditer(r"[a-z0-9]{1,2}|\S", text)]
        spans = [span for span in spans for _ in range(1 + (ord(text[span[0]]) > 0x2E80))]
        return {
            "input_ids": [1 + sum(map(ord, text[a:b])) % 90 for a, b in spans],
            "offset_mapping": spans,
        }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("abcd ef", [0, 0, 1]),
        ("abcd, efg", [0, 0, 1, 2, 2]),
        ("don't", [0, 0, 1, 2]),
        ("山川", [0, 0, 1, 1]),  # pieces of one character stay together, characters do not
        ("abc山", [0, 0, 1, 1]),
        ("", []),
    ],
)
def test_a_word_is_letters_that_touch_or_one_chinese_character(text: str, words: list[int]) -> None:
    assert Codes(Pieces()).words(text)[1] == words


def test_blanks_at_the_contexts_end_move_to_the_candidate() -> None:
    class Characters:
        def __call__(self, text: str, **_: Any) -> dict[str, Any]:
            return {"input_ids": [ord(character) for character in text]}

    family = DecoderRows(encode=Codes(Characters()), max_tokens=99, mark=1)

    (found,) = family.rows([Candidate(context="a\n\n", text="b", delimiter=" ")], "", "item 0")

    assert found.rows[0].wanted == (10, 10, 32, 98)
    assert found.tokens == 4


def test_a_mark_that_the_candidate_begins_with_is_not_doubled() -> None:
    class Numbers:
        def __call__(self, text: str, **_: Any) -> dict[str, Any]:
            return {"input_ids": [int(word) for word in text.split()]}

    family = DecoderRows(encode=Codes(Numbers()), max_tokens=99, mark=1)

    (found,) = family.rows([Candidate(context="", text="1 5 6", delimiter="")], "", "item 0")

    assert found.rows[0].read == (1, 5)
    assert found.rows[0].wanted == (5, 6)
