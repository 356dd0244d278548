"""Measures of extracted parts: edit similarity of code, TEDS of tables, F1 of word n-grams, formulas found once.

Source: TEDS is Zhong et al. 2020, "Image-based table recognition", section 4, for tables without spans; rows
are matched with rows and cells with cells, so the edit distance of trees is two alignments of sequences.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from tools.block_labels import words_of

Table = Sequence[Sequence[str]]
T = TypeVar("T")


def edit_similarity(one: str, other: str) -> float:
    """1 less the edit distance over the longer length; 1 for two empty strings."""
    longest = max(len(one), len(other))
    return 1.0 - edit_distance(one, other) / longest if longest else 1.0


def edit_distance(one: str, other: str) -> int:
    """Characters to insert, delete or replace."""
    a, b = (np.array([ord(c) for c in text], np.int64) for text in (one, other))
    steps = np.arange(len(b) + 1)
    row = steps.copy()
    for number, character in enumerate(a, 1):
        kept = np.minimum(row[1:] + 1, row[:-1] + (b != character))
        # An insertion costs one more than the cell to the left: the running minimum of cost less column.
        row = np.minimum.accumulate(np.concatenate([[number], kept]) - steps) + steps
    return int(row[-1])


def table_similarity(found: Table, truth: Table) -> float:
    """TEDS: 1 less the edit distance of two tables as trees, over the larger number of their nodes."""
    nodes = max(1 + sum(1 + len(row) for row in table) for table in (found, truth))
    return 1.0 - _align(found, truth, _row_size, _row_distance) / nodes


def ngram_f1(found: str, truth: str, size: int) -> float:
    """F1 over the multisets of n-grams of words; Chinese and Japanese characters are words."""
    a, b = (
        Counter(zip(*(words[i:] for i in range(size)), strict=False))
        for words in (words_of(found), words_of(truth))
    )
    total = a.total() + b.total()
    return 2 * (a & b).total() / total if total else 1.0


def found_once(text: str, formulas: Sequence[str]) -> float:
    """Mean over formulas: 1 where a text holds each as often as the page does, less where more or fewer times."""
    held = "".join(text.split())
    wanted = Counter("".join(formula.split()) for formula in formulas)
    shares = []
    for formula, times in wanted.items():
        count = held.count(formula)
        shares.append(min(count, times) / max(count, times))
    return float(np.mean(shares)) if shares else 1.0


def _row_size(row: Sequence[str]) -> float:
    return 1.0 + len(row)


def _row_distance(one: Sequence[str], other: Sequence[str]) -> float:
    return 0.0 if list(one) == list(other) else _align(one, other, lambda _: 1.0, cell_distance)


@functools.lru_cache(maxsize=100_000)
def cell_distance(one: str, other: str) -> float:
    """Edit distance of two cells over the longer one; 1 where they share no word."""
    if one == other:
        return 0.0
    if not set(words_of(one)) & set(words_of(other)):
        return 1.0
    return 1.0 - edit_similarity(one, other)


def _align(
    one: Sequence[T],
    other: Sequence[T],
    size: Callable[[T], float],
    distance: Callable[[T, T], float],
) -> float:
    """The least cost of turning one sequence into another."""
    costs = [0.0]
    for item in other:
        costs.append(costs[-1] + size(item))
    for mine in one:
        before, costs = costs, [costs[0] + size(mine)]
        for number, theirs in enumerate(other):
            costs.append(
                min(
                    before[number + 1] + size(mine),
                    costs[-1] + size(theirs),
                    before[number] + distance(mine, theirs),
                )
            )
    return costs[-1]
