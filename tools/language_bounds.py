"""Derive the rules' bounds of languages from clean text, as `refinery/filters/bounds_by_language.yaml`.

    python -m tools.language_bounds MANUALS

MANUALS holds unpacked Debian packages (`benchmarks/corpora/manuals.py` says which): manuals whose pages are
the same in each language, so that two languages differ by their writing alone. Pages of fewer than fifty
English words are left out. As one of FineWeb-2's methods (Penedo et al. 2025), a threshold of English is moved
to the quantile that it is in English text:

- if an English bound cuts a share q of the English pages, the language's bound cuts q of the same pages;
- a bound that hardly any English page reaches is multiplied by the ratio of the values' tails (95th or 5th
  percentile) in both languages;
- sizes in words are multiplied by the median of the ratios of the same page's sizes;
- a bound that would move by less than a fifth stays, and none becomes stricter than English by more than a
  third: a share of three hundred pages is no exact number, and manuals are tidier than the web.

Languages with fewer than 100 pages borrow the bounds of another one.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpora.manuals import manual_pages
from benchmarks.record import record
from refinery.filters.shipped_rules import Rule, checked_in_rules, derived_bounds
from refinery.filters.values import Floats, compute_values
from refinery.text.batch import TextBatch
from schemas.errors import run_main

TARGET = Path("refinery/filters/bounds_by_language.yaml")
# Beside en and zh, whose bounds are published: the languages with most text in FineWeb-2, and scripts
# without blanks.
LANGUAGES = (
    "ru", "de", "ja", "es", "fr", "it", "pt", "pl", "nl", "id", "tr", "cs", "vi", "ko", "fa", "ar",
    "hu", "sv", "ro", "el", "da", "uk", "km",
)  # fmt: skip
# Whose bounds serve where there is too little text: a neighbour in grammar and script.
BORROWED = {
    "ar": "default", "fa": "default", "ro": "it", "uk": "ru", "hi": "default", "th": "km", "lo": "km",
    "my": "km", "no": "da",
}  # fmt: skip
NO_MARKS = "own: no mark ends a sentence in this script"
WITHOUT_MARKS = ("th", "lo")
LEAST_PAGES, MOST_PAGES = 100, 900
LOW, HIGH, LEAST_CHANGE = 5, 95, 0.2
# A bound that cuts less than this share of the English pages is outside of them.
LEAST_CUT, LEAST_WORDS = 0.01, 50
# A bound that cuts as much of the other language already, within this share, stays.
SAME_CUT = 0.02
STRICTER = 4 / 3
SIZES = ("words",)
# Values that do not depend on how a language is written keep the bounds of all.
DERIVED = (
    "gopher:words", "gopher:mean_word_chars", "gopher:alpha_words",
    *(f"repetition:top_{n}gram" for n in (2, 3, 4)), *(f"repetition:dup_{n}gram" for n in range(5, 11)),
    "fineweb:line_punctuation", "fineweb:short_lines", "fineweb:newlines",
)  # fmt: skip

Pages = Mapping[str, str]


def derive(english: Pages, pages: Pages) -> dict[str, Any] | None:
    """Bounds of a language by rule, with the number of pages; None where there are too few."""
    keys = sorted(set(english) & set(pages))
    if len(keys) < LEAST_PAGES:
        return None
    theirs, ours = _values(english, keys), _values(pages, keys)
    long = theirs["words"] >= LEAST_WORDS
    default = {rule.name: rule for rule in checked_in_rules()["default"]}
    bounds: dict[str, dict[str, Any]] = {}
    source = f"derived: quantiles of {int(long.sum())} manual pages"
    for rule in checked_in_rules()["en"]:
        if rule.name not in DERIVED:
            continue
        ends = _moved(rule, theirs[rule.value][long], ours[rule.value][long])
        usual = default[rule.name].bounds
        if ends != _ends(usual.minimum, usual.maximum):
            bounds[rule.name] = {**ends, "source": source}
    return {"documents": int(long.sum()), "bounds": bounds}


def _values(pages: Pages, keys: list[str]) -> dict[str, Floats]:
    return compute_values(TextBatch.of([pages[key] for key in keys]))


def _ends(low: float | None, high: float | None) -> dict[str, float]:
    return {name: end for name, end in (("min", low), ("max", high)) if end is not None}


def _moved(rule: Rule, theirs: Floats, ours: Floats) -> dict[str, float]:
    """Both ends of an English bound in the other language."""
    low, high = rule.bounds.minimum, rule.bounds.maximum
    if rule.value in SIZES:
        factor = float(np.median(ours / theirs))
        ends = [None if end is None else end * factor for end in (low, high)]
    else:
        ends = [
            None if low is None else min(_at_quantile(low, theirs, ours, LOW), low * STRICTER),
            None if high is None else max(_at_quantile(high, theirs, ours, HIGH), high / STRICTER),
        ]
    return _ends(_rounded(ends[0], low), _rounded(ends[1], high))


def _at_quantile(end: float, theirs: Floats, ours: Floats, tail: int) -> float:
    """Where the bound lies in the other language: at its quantile, or moved as the tails are apart."""
    share = float((theirs <= end).mean())
    if abs(share - float((ours <= end).mean())) < SAME_CUT:
        return end
    if LEAST_CUT <= share <= 1 - LEAST_CUT:
        return float(np.quantile(ours, share))
    first, second = float(np.percentile(theirs, tail)), float(np.percentile(ours, tail))
    return end * second / first if first > 0 and second > 0 else end


def _rounded(moved: float | None, usual: float | None) -> float | None:
    """To two digits; a bound that hardly moved stays, and a share is below one."""
    if moved is None or usual is None or abs(moved / usual - 1) < LEAST_CHANGE:
        return usual
    return min(float(f"{moved:.2g}"), 0.95) if usual < 1 else float(f"{moved:.2g}")


def share_dropped(pages: Pages, rules: tuple[Rule, ...]) -> float:
    """The share of clean pages, of those that are long enough, that one of the derived rules drops."""
    values = compute_values(TextBatch.of(list(pages.values())))
    long = np.ones(len(pages), bool)
    dropped = np.zeros(len(pages), bool)
    for rule in (rule for rule in rules if rule.name in DERIVED):
        low, high = rule.bounds.minimum, rule.bounds.maximum
        column = values[rule.value]
        outside = (column < (-np.inf if low is None else low)) | (
            column > (np.inf if high is None else high)
        )
        if rule.value in SIZES:
            long &= ~outside
        else:
            dropped |= outside
    return round(float(dropped[long].mean()), 4) if long.any() else 0.0


def write(found: Mapping[str, dict[str, Any] | None]) -> str:
    """The text of the YAML file."""
    lines = [
        "# Bounds of languages that were derived from clean text, or borrowed where there was too little of it.",
        "# Made by `python -m tools.language_bounds`, which says how. Rules that are not here have their default.",
        "",
    ]
    derived = {language: one for language, one in found.items() if one is not None}
    for language, one in derived.items():
        lines += [f'"{language}":', f"  documents: {one['documents']}", "  bounds:"]
        for rule, bound in one["bounds"].items():
            ends = "".join(f"{name}: {bound[name]:g}, " for name in ("min", "max") if name in bound)
            lines.append(f'    "{rule}": {{{ends}source: "{bound["source"]}"}}')
    for language, lender in BORROWED.items():
        if language in derived:
            continue
        lines += [f'"{language}":', f"  borrowed_from: {lender}"]
        if language in WITHOUT_MARKS:
            lines += ["  bounds:", f'    "fineweb:line_punctuation": {{source: "{NO_MARKS}"}}']
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manuals", type=Path)
    args = parser.parse_args(argv)
    pages = {
        language: manual_pages(args.manuals, language, MOST_PAGES)
        for language in ("en", *LANGUAGES)
    }
    publish(pages)
    return 0


def publish(pages: Mapping[str, Pages]) -> None:
    """Write the file, and what the bounds change for the clean pages they come from."""
    english_rules = checked_in_rules()["en"]
    found = {language: derive(pages["en"], pages[language]) for language in LANGUAGES}
    TARGET.write_text(write(found), encoding="utf-8")
    checked_in_rules.cache_clear()
    derived_bounds.cache_clear()
    record(
        "language_bounds",
        {
            "english": {
                "pages": len(pages["en"]), "dropped": share_dropped(pages["en"], english_rules)
            },
            "languages": {
                language: {
                    "pages": one["documents"],
                    "dropped_by_english_bounds": share_dropped(pages[language], english_rules),
                    "dropped": share_dropped(pages[language], checked_in_rules()[language]),
                }
                for language, one in found.items()
                if one is not None
            },
        },
    )  # fmt: skip


if __name__ == "__main__":
    run_main(main)
