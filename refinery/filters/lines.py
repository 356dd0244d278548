"""Line rules of C4 and RefinedWeb as edits: a line that fails leaves the text with its line end.

Sources: Raffel et al. 2020 (C4), section 2.2, with terminal marks of Chinese added, since the
paper's ASCII marks would remove every Chinese line; Penedo et al. 2023 (RefinedWeb), appendix G.2,
in the form of DCLM's `dclm_baseline_refinedweb.yaml`. Words of a Chinese line are its characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from refinery.filters.config import LineRules
from refinery.filters.marked import MarkedEdit

LINES_VERSION = 1

TERMINAL_MARKS = ".?!\"'。？！…”’」』；"
MAX_WORD_CHARS = 1000
MIN_C4_WORDS = 3
_POLICY = re.compile(
    "terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies"
    "|使用条款|隐私政策|隐私权政策|使用cookie",
    re.IGNORECASE,
)
_CITATION = re.compile(
    r"\[(?:\d{0,3}|edit|citation needed|编辑|來源請求|来源请求)\]", re.IGNORECASE
)
_COUNTER = re.compile(
    r"\W*\d[\d,.]*[km万]?\s*(?:likes?|shares?|comments?|retweets?|reposts?|quotes?|bookmarks?"
    r"|upvotes?|downvotes?|downloads?|views?|followers?|个?赞|条?评论|次?转发|次?浏览|次?阅读|收藏)\W*",
    re.IGNORECASE,
)
_ITEMS_IN_CART = re.compile(r"\d*\s*items? in (?:your )?cart", re.IGNORECASE)
_READ_MORE = re.compile(r"(?:read more|阅读全文|查看更多)\W*$", re.IGNORECASE)
_SIGN_IN = re.compile(r"^\W*(?:sign[- ]in|登录)", re.IGNORECASE)
_WORD = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+"
)
SHORT_LINE_WORDS = 10
MAX_UPPER_FRACTION = 0.5
MAX_DIGIT_FRACTION = 0.999999


@dataclass(frozen=True)
class _Line:
    """A line: its bounds with the line end, and its visible text with the place of that."""

    start: int
    end: int
    text: str
    text_start: int


def line_edits(text: str, rules: LineRules) -> list[MarkedEdit]:
    """Removals and trims of a text's lines; blank lines stay."""
    judge = _JUDGES[rules]
    return [edit for line in _lines(text) for edit in judge(line)]


def removed_word_fraction(text: str, edits: list[MarkedEdit]) -> float:
    """Share of the words that lie inside line edits (RefinedWeb drops a page above 0.05)."""
    total = len(_WORD.findall(text))
    gone = sum(len(_WORD.findall(text, one.edit.start, one.edit.end)) for one in edits)
    return gone / total if total else 0.0


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for raw in text.split("\n"):
        end = min(start + len(raw) + 1, len(text))
        if raw.strip():
            yield _Line(start, end, raw.strip(), start + len(raw) - len(raw.lstrip()))
        start += len(raw) + 1


def _drop(line: _Line, reason: str) -> Iterator[MarkedEdit]:
    yield MarkedEdit.of(line.start, line.end, "", reason)


def _trim(line: _Line, match: re.Match[str], reason: str) -> MarkedEdit:
    place = line.text_start
    return MarkedEdit.of(place + match.start(), place + match.end(), "", reason)


def _c4(line: _Line) -> Iterator[MarkedEdit]:
    if line.text[-1] not in TERMINAL_MARKS or line.text.endswith("..."):
        yield from _drop(line, "c4:no_terminal_mark")
        return
    yield from _c4_without_marks(line)


def _c4_without_marks(line: _Line) -> Iterator[MarkedEdit]:
    lower = line.text.lower()
    if "javascript" in lower:
        yield from _drop(line, "c4:javascript")
    elif _POLICY.search(line.text):
        yield from _drop(line, "c4:policy")
    elif len(_WORD.findall(line.text)) < MIN_C4_WORDS:
        yield from _drop(line, "c4:few_words")
    elif any(len(word) > MAX_WORD_CHARS for word in line.text.split()) and line.text.isascii():
        yield from _drop(line, "c4:long_word")
    elif "[" in line.text:
        for match in _CITATION.finditer(line.text):
            yield _trim(line, match, "c4:citation")


def _refinedweb(line: _Line) -> Iterator[MarkedEdit]:
    text, words = line.text, len(_WORD.findall(line.text))
    upper = sum(map(str.isupper, text)) / len(text)
    digits = sum(map(str.isdigit, text)) / len(text)
    checks: tuple[tuple[bool, str], ...] = (
        (upper > MAX_UPPER_FRACTION, "refinedweb:upper_case"),
        (digits >= MAX_DIGIT_FRACTION, "refinedweb:digits"),
        (_COUNTER.fullmatch(text) is not None, "refinedweb:counter"),
        (words <= 1, "refinedweb:one_word"),
    )
    for failed, reason in checks:
        if failed:
            yield from _drop(line, reason)
            return
    if words <= SHORT_LINE_WORDS:
        for pattern in (_ITEMS_IN_CART, _READ_MORE, _SIGN_IN):
            if match := pattern.search(text):
                yield _trim(line, match, "refinedweb:phrase")


_JUDGES: dict[LineRules, Callable[[_Line], Iterator[MarkedEdit]]] = {
    "c4": _c4,
    "c4_without_marks": _c4_without_marks,
    "refinedweb": _refinedweb,
}
