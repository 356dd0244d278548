"""Labels of languages that are kinds of another one."""

from __future__ import annotations

# Individual languages of the macrolanguage zh (ISO 639-3: zho) among the labels of lid.176.
CHINESE = frozenset({"zh", "yue", "wuu"})


def macro(label: str) -> str:
    """The language that a label is a kind of, for bounds and lists: Cantonese and Wu are Chinese."""
    return "zh" if label in CHINESE else label
