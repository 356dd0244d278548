"""Words of harmful or biased text by category, from files of the user.

They are counted, masked, or a reason to drop a document.

A file has one term per line; a line that begins with "#" is a comment. Case does not count. A term
matches whole words, at its ends that are letters or digits of a script that sets words apart by
blanks; ends in Han, kana or a script of South-East Asia match anywhere, since those have no blanks.
A blank inside a term stands for any white space. Of two terms that begin at one offset the longer one counts.
The refinery brings no list of its own.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from refinery.filters.config import WordListConfig
from refinery.publish import storage
from refinery.text.batch import CJK_RANGES, UNSPACED_RANGES
from refinery.text.marked_edit import MarkedEdit
from schemas.errors import SettingsError

WORD_LISTS_VERSION = 2
WORDS = "words:"

_UNBROKEN = "".join(f"{chr(first)}-{chr(last)}" for first, last in (*CJK_RANGES, *UNSPACED_RANGES))
_IS_UNBROKEN = re.compile(f"[{_UNBROKEN}]")
_NOT_AFTER, _NOT_BEFORE = f"(?<![^\\W{_UNBROKEN}])", f"(?![^\\W{_UNBROKEN}])"


def words_reason(category: str) -> str:
    """The name of a category in counters, edits and reasons."""
    return WORDS + category


def find_words(
    text: str, lists: Mapping[str, WordListConfig]
) -> tuple[dict[str, int], list[MarkedEdit]]:
    """Occurrences by category in the order of the recipe, and the masks of categories that mask.

    Raises:
        SettingsError: A list holds no term.
    """
    counts: dict[str, int] = {}
    masks: list[MarkedEdit] = []
    lowered = _lower_keeping_offsets(text) if lists else ""
    for category, config in lists.items():
        name = words_reason(category)
        spans = [match.span() for match in pattern(config.uri).finditer(lowered)]
        if spans:
            counts[name] = len(spans)
        if config.action == "mask":
            masks += [MarkedEdit.of(start, end, config.mask, name) for start, end in spans]
    return counts, masks


def _lower_keeping_offsets(text: str) -> str:
    """Lower case of the same length: the dotted capital I, which would become two characters, stays."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


@functools.cache
def pattern(uri: str) -> re.Pattern[str]:
    """One pattern for all terms of a file; loaded once per process."""
    terms = set()
    for line in storage.read_bytes(uri).decode("utf-8-sig").split("\n"):
        term = " ".join(unicodedata.normalize("NFC", line).lower().split())
        if term and not term.startswith("#"):
            terms.add(term)
    if not terms:
        raise SettingsError(f"recipe.clean.rules.word_lists: {uri} holds no term, one is needed")
    return re.compile("|".join(_branches(terms)))


def _branches(terms: set[str]) -> list[str]:
    """Patterns of two groups of terms: those that begin a word, and those that match anywhere.

    A group is written as a tree of common starts.

    Thousands of terms as plain alternatives would be tried one by one at every character.
    """
    wholes = {term for term in terms if _is_bounded(term[0])}
    groups = ((_NOT_AFTER, wholes), ("", terms - wholes))
    return [before + _tree_pattern(_tree(group)) for before, group in groups if group]


def _is_bounded(char: str) -> bool:
    return bool(re.match(r"\w", char)) and not _IS_UNBROKEN.match(char)


def _tree(terms: set[str]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for term in terms:
        node = root
        for char in term:
            node = node.setdefault(char, {})
        node[""] = _NOT_BEFORE if _is_bounded(term[-1]) else ""
    return root


def _tree_pattern(node: dict[str, Any]) -> str:
    """Pattern of a node: longer terms come first, then the end of the term that ends here."""
    choices = [
        (r"\s+" if char == " " else re.escape(char)) + _tree_pattern(below)
        for char, below in sorted(node.items())
        if char
    ]
    if "" in node:
        choices.append(node[""])
    return choices[0] if len(choices) == 1 else f"(?:{'|'.join(choices)})"
