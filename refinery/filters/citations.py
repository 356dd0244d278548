"""Citation marks in prose, `[12]` and `[citation needed]`, apart from indices in code and formulas.

C4 cuts every `[number]`. Where a text speaks of code or mathematics that falsifies it: `a[0]` becomes
`a`. A mark is cut only where its neighbours are those of a citation: behind a word, a quotation mark or
punctuation, before a blank, punctuation or the end, no operator on either side, and nowhere in a
text that counts from `[0]` or has `name[i]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Zero is an index, and so is a number that begins with it.
MARK = re.compile(
    r"\[(?:(?P<number>[1-9]\d{0,2})?|edit|citation needed|编辑|來源請求|来源请求)\]", re.IGNORECASE
)
# An index from zero, by a short name, by a string, of a slice; LaTeX's optional arguments.
_INDEXED = re.compile(r"\[0+\]|[\w)\]]\[(?:0|[A-Za-z_]\w?\]|[a-z_]\w*[-+*]|:|\d+:|['\"$-])|\\\w+\[")
_HAN = r"\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af"
# What a citation follows: a plain word (no digits, no inner capital, no `.name`, no `$name`), a year or a
# per cent, a letter of an unspaced script, closing punctuation, another mark, blanks behind any of them.
_SMALL = r"[^\W\d_A-Z]"
_PLAIN = rf"(?<![\w.$@#&*/\\>:'’-])(?:[^\W\d_]{_SMALL}+|[A-Z]{{2,}})(?:['’-]{_SMALL}+)*"
_BEFORE = re.compile(
    rf"(?:{_PLAIN}|(?<![\w.])\d{{4}}|\d%|[{_HAN}]|[.,;:!?)\"”’»』」》、。，；：！？）]|\])\s?$"
)
# What it stands before; an operator behind a blank makes it a term.
_AFTER = re.compile(
    rf"(?:$|[\[{_HAN}!?)\"”’»』」》、。，；：！？）—–]|[.,:](?!\w)|;\s+\w|\s(?!\s*(?:[-+*/=<>|&^%{{\\])))"
)
# A mark behind a blank, where `in [10]:` and `.. [1] Title` are none.
_AFTER_APART = re.compile(rf"$|[.,;!?)](?!\w)|[{_HAN}、。，；：！？）]")
_SENTENCE_END = re.compile(r"[.!?。！？”’」』]$")
_CALL = re.compile(r"\w\([^()]*\)$")
_LONGEST_BEFORE = 40


def indexes(text: str) -> bool:
    """Whether a text has indices in brackets: then a number in brackets behind a word is one, too."""
    return bool(_INDEXED.search(text))


def citations(line: str) -> Iterator[re.Match[str]]:
    """The citation marks of a line of a text that has no indices."""
    cut = 0
    for match in MARK.finditer(line):
        before = line[max(0, match.start() - _LONGEST_BEFORE) : match.start()]
        follows = match.start() == cut > 0 or _follows(before, is_empty=match[0] == "[]")
        after = _AFTER if not before[-1:].isspace() else _AFTER_APART
        if follows and after.match(line, match.end()):
            cut = match.end()
            yield match


def _follows(before: str, *, is_empty: bool) -> bool:
    """Whether a mark may stand behind this text; what was called or typed is no prose."""
    if is_empty:  # a citation that is gone; elsewhere a list or a type
        return _SENTENCE_END.search(before) is not None
    return _BEFORE.search(before) is not None and _CALL.search(before) is None
