"""Figures of evaluations as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from train.comparison.compare import Row
from train.comparison.results import BITS

# In words, and whether the figure is a share of the items.
_TITLES = {
    "acc": "right",
    "acc_norm": "right, by characters",
    "acc_bytes": "right, by bytes",
    "acc_tokens": "right, by tokens",
    "acc_slln": "right, by root of tokens",
    "acc_pmi": "right, beside an empty context",
    "acc_equal_length": "right, pairs of equal length",
    "gold_probability": "probability of the right one",
    BITS: "bits per byte",
}
# These are no shares between 0 and 1.
_NUMBERS = {BITS, "perplexity", "bleu", "chrf", "pearson", "spearman"}


_POINTS = "pp"  # percentage points, of differences


def title(figure: str) -> str:
    """A figure's name in words; its own name where it has none."""
    return _TITLES.get(figure, figure.replace("_", " "))


def is_share(figure: str) -> bool:
    """Whether a figure is shown in percent."""
    return figure not in _NUMBERS


def amount(value: float | None, figure: str, *, sign: bool = False) -> str:
    """A value in percent or as a number; empty where there is none."""
    if value is None or math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞"
    if sign:
        return f"{100 * value:+.1f} {_POINTS}" if is_share(figure) else f"{value:+.4f}"
    return f"{100 * value:.1f} %" if is_share(figure) else f"{value:.4f}"


def span(low: float | None, high: float | None, figure: str, *, sign: bool = False) -> str:
    """An interval; empty where there is none."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    mark = "+" if sign else ""
    if is_share(figure):
        return f"{100 * low:{mark}.1f} to {100 * high:{mark}.1f} {_POINTS if sign else '%'}"
    return f"{low:{mark}.4f} to {high:{mark}.4f}"


def interval_of(metric: Mapping[str, Any], figure: str) -> str:
    """The interval of a published figure."""
    return span(metric.get("low"), metric.get("high"), figure)


def probability(p_value: float) -> str:
    """A probability with two digits; what is smaller than one in a thousand is said so."""
    if math.isnan(p_value):
        return ""
    return "< .001" if p_value < 0.001 else f"{p_value:.3f}".lstrip("0") if p_value < 1 else "1"


def cells(row: Row) -> tuple[str, ...]:
    """A row of a comparison, as both its tables show it."""
    difference = row.difference
    return (
        row.task,
        title(row.figure),
        row.verdict,
        amount(row.values[0], row.figure),
        amount(row.values[1], row.figure),
        amount(difference.value, row.figure, sign=True),
        span(difference.low, difference.high, row.figure, sign=True),
        probability(row.adjusted),
        amount(row.smallest, row.figure, sign=True).lstrip("+"),
    )


HEADS = (
    "task", "figure", "the other is", "first", "other", "difference", "95 %", "p", "findable",
)  # fmt: skip
ABOUT = (
    "Difference: the other minus the first, on the same items, with the interval that holds the true one "
    "95 times of 100; pp are percentage points. p: adjusted for the number of rows (Benjamini and Hochberg). Findable: the smallest "
    "true difference that these items and runs would show four times of five; what is not told apart is "
    "most likely smaller. Bits per byte are those of the right answer: fewer are better."
)


def notes(row: Row) -> list[str]:
    """What stands below the table for a row."""
    said = list(row.warnings)
    if row.signal is not None and row.signal.reason is not None:
        said.append(row.signal.reason)
    if row.bootstrap is not None:
        ends = span(*row.bootstrap, row.figure, sign=True)
        said.append(
            f"bootstrap over seeds and items {ends} (t decides: it is too short with few seeds)"
        )
    return said
