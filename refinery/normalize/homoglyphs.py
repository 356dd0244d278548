"""Write words of look-alike letters in one script: Cyrillic or Greek inside Latin words, and back.

The letters are those that Unicode's confusables (UTS 39) map to one Latin letter, without the
archaic ones; a test compares the table with them. A word changes only when one script clearly rules
it and every letter of the other has a twin, so honest Cyrillic and Greek words, units and formulas
(Δt, NF-κB) stay. Greek small letters at a word's end or start are symbols (TNFα, γδ), no disguise.
"""

from __future__ import annotations

import re

_CYRILLIC = "аеорсухіјѕһԁԛԝӏѵѡүгꙇҽԌӀІѴҮԜЬАВЕКМНОРСТУХЈЅ"
_CYRILLIC_TWINS = "aeopcyxijshdqwlvwyrieGIIVYWbABEKMHOPCTYXJS"
_GREEK = "οαινγρϱσυϲϳΑΒϹΕϜΖΗΙͿΚΜϺΝΟΡΤΥϒΧ"
_GREEK_TWINS = "oaivyppoucjABCEFZHIJKMMNOPTYYX"
_SYMBOLS = frozenset("αινγρσυ")
_TO_LATIN = dict(zip(_CYRILLIC + _GREEK, _CYRILLIC_TWINS + _GREEK_TWINS, strict=True))
# Several Cyrillic letters may look like one Latin letter: the first of them in this list is taken.
_RUSSIAN, _RUSSIAN_TWINS = "аеорсухіјѕһԁАВЕКМНОРСТУХІЈЅ", "aeopcyxijshdABEKMHOPCTYXIJS"
_TO_CYRILLIC = dict(zip(reversed(_RUSSIAN_TWINS), reversed(_RUSSIAN), strict=True))

_GATE = re.compile("[A-Za-z][\u0370-\u052f\ua640-\ua66d]|[\u0370-\u052f\ua640-\ua66d][A-Za-z]")
_WORD = re.compile("[A-Za-z\u00c0-\u024f\u0370-\u052f\ua640-\ua66d]+")
_OTHER = re.compile("[\u0370-\u052f\ua640-\ua66d]")
MIN_WORD_CHARS = 4
MAX_MINORITY = 1 / 3


def repair_homoglyphs(text: str) -> tuple[str, int]:
    """The text with mixed words written in one script, and their number."""
    if not _GATE.search(text):
        return text, 0
    count = 0

    def repair(match: re.Match[str]) -> str:
        nonlocal count
        fixed = _repair_word(match[0])
        count += fixed != match[0]
        return fixed

    return _WORD.sub(repair, text), count


def _repair_word(word: str) -> str:
    foreign = len(_OTHER.findall(word))
    if len(word) < MIN_WORD_CHARS or not 0 < foreign < len(word):
        return word
    if foreign <= len(word) * MAX_MINORITY:
        if word[0] in _SYMBOLS or word[-1] in _SYMBOLS:
            return word
        strangers, twins = _OTHER.findall(word), _TO_LATIN
    elif foreign >= len(word) * (1 - MAX_MINORITY):
        strangers, twins = [c for c in word if not _OTHER.match(c)], _TO_CYRILLIC
        if any("\u0370" <= char < "\u0400" for char in word):
            return (
                word  # a Greek word with Latin letters in it: there is no table for that direction
            )
    else:
        return word
    if any(char not in twins for char in strangers):
        return word
    swap = set(strangers)
    return "".join(twins[char] if char in swap else char for char in word)
