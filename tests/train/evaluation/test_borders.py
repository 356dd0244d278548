"""Where a prompt ends and a choice begins."""

from __future__ import annotations

import pytest

from train.evaluation.borders import blank_between, cut_at_border


@pytest.mark.parametrize(
    ("prompt", "choice", "text"),
    [
        ("The capital is", "Paris", "The capital is Paris"),
        ("首都是", "北京", "首都是北京"),
        ("答案：", "Apple", "答案：Apple"),
        ("The capital is", "北京", "The capital is北京"),
        ("他说“首都是”", "北京", "他说“首都是”北京"),
        ("He said “the capital”", "is", "He said “the capital” is"),
        ("수도는", "서울", "수도는 서울"),  # Korean writes spaces
        ("เมืองหลวงคือ", "กรุงเทพ", "เมืองหลวงคือกรุงเทพ"),
        ("𠀀", "x", "𠀀x"),
        ("Answer:\n", "x", "Answer:\nx"),
        ("Answer:", " x", "Answer: x"),
        ("", "x", "x"),
        ("x", "", "x"),
        ("“", "x", "“ x"),
    ],
)
def test_a_space_stands_where_both_scripts_write_one(prompt: str, choice: str, text: str) -> None:
    assert prompt + blank_between(prompt, choice) + choice == text


def test_choices_begin_behind_the_prompt() -> None:
    assert cut_at_border([1, 2], [[1, 2, 3], [1, 2, 4, 5]]) == ([1, 2], [[3], [4, 5]])


def test_a_token_over_the_border_belongs_to_all_choices() -> None:
    assert cut_at_border([1, 2], [[1, 9], [1, 2, 4]]) == ([1], [[9], [2, 4]])


def test_every_choice_keeps_a_token() -> None:
    assert cut_at_border([1, 2], [[1, 2], [1, 2, 3]]) == ([1], [[2], [2, 3]])
    assert cut_at_border([], [[7], [8, 9]]) == ([], [[7], [8, 9]])
