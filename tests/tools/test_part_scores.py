"""Measures of extracted code, tables, text and formulas, against values worked out by hand."""

import random

import pytest

from tools.part_scores import (
    cell_distance,
    edit_distance,
    edit_similarity,
    found_once,
    ngram_f1,
    table_similarity,
)


def plain_distance(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        left, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            left, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, left + (a != b))
    return row[-1]


def test_edit_distance_is_that_of_the_plain_way() -> None:
    generator = random.Random(0)
    for _ in range(60):
        one, other = ("".join(generator.choices("ab\n ", k=generator.randrange(9))) for _ in "12")
        assert edit_distance(one, other) == plain_distance(one, other)


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [("", "", 1.0), ("ice", "", 0.0), ("ice", "ice", 1.0), ("  a = 1", "a = 1", 5 / 7), ("湖水", "湖冰", 0.5)],
)  # fmt: skip
def test_code_that_lost_its_indentation_is_less_similar(
    one: str, other: str, similarity: float
) -> None:
    assert edit_similarity(one, other) == pytest.approx(similarity)


TRUTH = [["Bay", "May"], ["North", "12"]]


@pytest.mark.parametrize(
    ("found", "similarity"),
    [
        (TRUTH, 1.0),
        ([], 1 - 6 / 7),
        # A row, a cell and the content of a cell are missing.
        ([["Bay", "May"]], 1 - 3 / 7),
        ([["Bay", "May"], ["North"]], 1 - 1 / 7),
        ([["Bay", "May"], ["North", ""]], 1 - 1 / 7),
        # Values under the wrong heading.
        ([["Bay", "May"], ["12", "North"]], 1 - 2 / 7),
    ],
)
def test_a_table_is_compared_by_rows_and_cells(found: list[list[str]], similarity: float) -> None:
    assert table_similarity(found, TRUTH) == pytest.approx(similarity)


def test_cells_that_share_no_word_are_wholly_different() -> None:
    assert cell_distance("ice", "nice") == 1.0
    assert cell_distance("the ice", "the mice") == pytest.approx(1 / 8)


def test_chinese_text_is_compared_by_characters() -> None:
    assert ngram_f1("湖水很深", "湖水不深", 2) == pytest.approx(1 / 3)
    assert ngram_f1("the lake is deep", "the lake is cold", 1) == pytest.approx(3 / 4)
    assert ngram_f1("", "", 4) == 1.0


def test_a_formula_that_stands_twice_counts_half() -> None:
    assert found_once("so $x^2$ is x^{2}", ["x^2"]) == 1.0
    assert found_once("so $x^2$ x^2", ["x^2"]) == 0.5
    assert found_once("so", ["x^2", "a"]) == 0.0
    assert found_once("so", []) == 1.0
