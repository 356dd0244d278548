"""Marks of citations are found in prose, and no index of code or formulas is taken for one."""

from __future__ import annotations

import pytest

from refinery.filters.citations import citations, indexes


def cut(line: str) -> str:
    """The line without its marks, as the line rule leaves it."""
    if indexes(line):
        return line
    for match in reversed(list(citations(line))):
        line = line[: match.start()] + line[match.end() :]
    return line


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("It is known[12] to be so[citation needed].", "It is known to be so."),
        ("The river rose.[1][2][34] Then it fell.[5]", "The river rose. Then it fell."),
        ("In 1998[4] about 12%[5] of NASA[6] left (all of them)[7], he said.",
         "In 1998 about 12% of NASA left (all of them), he said."),
        ("“We saw it,”[3] they wrote; others[8] did not.", "“We saw it,” they wrote; others did not."),
        ("As others have shown [12], it holds.", "As others have shown , it holds."),
        ("Die Straße[9] führt über die Brücke[10]: lang.", "Die Straße führt über die Brücke: lang."),
        ("这座桥建于宋代[1]，后来重修[2][3]。", "这座桥建于宋代，后来重修。"),
        ("他生于北京[來源請求]。", "他生于北京。"),
        ("History[edit]", "History"),
        ("A well-known[2] poet's[3] house.", "A well-known poet's house."),
        ("The sentence ended.[] It went on.", "The sentence ended. It went on."),
    ],
)  # fmt: skip
def test_citations_of_prose_are_cut(line: str, left: str) -> None:
    assert cut(line) == left


@pytest.mark.parametrize(
    "line",
    [
        "The first element is list[0] and it is new.",
        "Since indices begin at [0], item[1] is the second one.",
        "Then a[1] = b[2] + c[3] is computed.",
        "We write x[1] for the first coordinate.",
        "Use self.items[1] or $argv[2] here.",
        "The value of buf2[10] and my_list[3] is lost.",
        "sum[1] + sum[2] = total",
        "It returns parts[1].strip() of the name.",
        "call(args)[1]->name is set.",
        "public static void main(String[] args)",
        "The type int[] is an array.",
        "where table[i] is a row and table[12] the last.",
        "Take row[1:3] of it, then row[2] again.",
        "matrix[1][2] is one cell, matrix[1][j] a column.",
        r"\documentclass[12]{article}",
        "if (x) y[4];",
        "the set S[1], T[2] of camelCase[3] names",
        "std::array[5] and obj->field[6] differ",
        "数组下标从[0]开始，元素[1]是第二个。",
        "see footnote [007] there",
        "elif token in [10]:",
        ".. [1] A. Author, a title of theirs.",
        'tags = get("tags", [])',
        "return done or []",
        "sys.exc_info()[2]",
    ],
)
def test_indices_stay(line: str) -> None:
    assert cut(line) == line
