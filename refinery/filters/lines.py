"""Line rules of C4 and RefinedWeb as edits: a line that fails leaves the text with its line end.

Sources: Raffel et al. 2020 (C4), section 2.2, with terminal marks of Chinese added, since the
paper's ASCII marks would remove every Chinese line (words are what blanks separate, or Chinese
characters); Penedo et al. 2023 (RefinedWeb), appendix G.2,
in the form of DCLM's `dclm_baseline_refinedweb.yaml`. Words of a Chinese line are its characters.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

from refinery.filters.config import LineRules
from refinery.filters.marked import MarkedEdit

LINES_VERSION = 2

TERMINAL_MARKS = ".?!\"'。？！…”’」』；"
MAX_WORD_CHARS = 1000
MIN_C4_WORDS = 3
_POLICIES = (
    "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies",
    "use cookies", "使用条款", "隐私政策", "隐私权政策", "使用cookie",
)  # fmt: skip
_POLICY_BYTES = tuple(phrase.encode() for phrase in _POLICIES)
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
_THREE_CJK = re.compile(r"(?:[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]\W*){3}")
SHORT_LINE_WORDS = 10
MAX_COUNTER_CHARS = 200
MAX_UPPER_FRACTION = 0.5
MAX_DIGIT_FRACTION = 0.999999


@dataclass(frozen=True)
class _Line:
    """A line: its bounds with the line end, and its visible text with the place of that."""

    start: int
    end: int
    text: str
    text_start: int


@dataclass(frozen=True)
class _Page:
    """What the whole text holds, looked for once: most texts hold none of it."""

    has_javascript: bool
    has_policy: bool

    @classmethod
    def of(cls, text: str) -> _Page:
        # Lower-casing bytes is many times as fast as lower-casing text, and enough for these.
        lower = text.encode("utf-8", "surrogatepass").lower()
        return cls(b"javascript" in lower, any(phrase in lower for phrase in _POLICY_BYTES))


def line_edits(text: str, rules: LineRules) -> list[MarkedEdit]:
    """Removals and trims of a text's lines; blank lines stay."""
    judge, choose = _JUDGES[rules]
    page, lines = _Page.of(text), text.split("\n")
    chosen = choose(lines, page)
    if not chosen:
        return []
    starts = list(accumulate((len(raw) + 1 for raw in lines), initial=0))
    return [
        edit
        for place in chosen
        if lines[place].strip()
        for edit in judge(_line(lines[place], starts[place], len(text)), page)
    ]


def _line(raw: str, start: int, text_end: int) -> _Line:
    end = min(start + len(raw) + 1, text_end)
    return _Line(start, end, raw.strip(), start + len(raw) - len(raw.lstrip()))


def _names_policy(lower: str) -> bool:
    return any(phrase in lower for phrase in _POLICIES)


def removed_word_fraction(text: str, edits: list[MarkedEdit]) -> float:
    """Share of the words that lie inside line edits (RefinedWeb drops a page above 0.05)."""
    total = len(_WORD.findall(text))
    gone = sum(len(_WORD.findall(text, one.edit.start, one.edit.end)) for one in edits)
    return gone / total if total else 0.0


def _drop(line: _Line, reason: str) -> Iterator[MarkedEdit]:
    yield MarkedEdit.of(line.start, line.end, "", reason)


def _trim(line: _Line, match: re.Match[str], reason: str) -> MarkedEdit:
    place = line.text_start
    return MarkedEdit.of(place + match.start(), place + match.end(), "", reason)


def _has_words(text: str, count: int) -> bool:
    """Whether there are so many words; looks no further."""
    return sum(1 for _ in islice(_WORD.finditer(text), count)) == count


def _suspects_of_c4(lines: list[str], page: _Page) -> Sequence[int]:
    """Lines that a glance does not clear: short, long, with brackets, on pages with phrases."""
    if page.has_javascript or page.has_policy:
        return range(len(lines))
    return [
        place
        for place, raw in enumerate(lines)
        if (len(raw.split(None, 2)) < MIN_C4_WORDS and not _THREE_CJK.search(raw))
        or "[" in raw
        or len(raw) > MAX_WORD_CHARS
    ]


def _all_lines(lines: list[str], page: _Page) -> Sequence[int]:
    del page
    return range(len(lines))


def _c4(line: _Line, page: _Page) -> Iterator[MarkedEdit]:
    if line.text[-1] not in TERMINAL_MARKS or line.text.endswith("..."):
        yield from _drop(line, "c4:no_terminal_mark")
        return
    yield from _c4_without_marks(line, page)


def _c4_without_marks(line: _Line, page: _Page) -> Iterator[MarkedEdit]:
    text = line.text
    lower = text.lower() if page.has_javascript or page.has_policy else ""
    if "javascript" in lower:
        yield from _drop(line, "c4:javascript")
    elif _names_policy(lower):
        yield from _drop(line, "c4:policy")
    elif len(text.split(None, 2)) < MIN_C4_WORDS and not _has_words(text, MIN_C4_WORDS):
        yield from _drop(line, "c4:few_words")
    elif (
        len(text) > MAX_WORD_CHARS
        and text.isascii()
        and any(len(word) > MAX_WORD_CHARS for word in text.split())
    ):
        yield from _drop(line, "c4:long_word")
    elif "[" in text:
        for match in _CITATION.finditer(text):
            yield _trim(line, match, "c4:citation")


def _upper_fraction(text: str) -> float:
    if text.isascii():  # the usual line, at the speed of bytes
        small = text.encode("ascii").translate(None, string.ascii_uppercase.encode())
        return 1 - len(small) / len(text)
    return sum(map(str.isupper, text)) / len(text)


def _refinedweb(line: _Line, page: _Page) -> Iterator[MarkedEdit]:
    del page
    text = line.text
    # Only a line of digits alone can reach the bound, unless it is longer than a million.
    digits = sum(map(str.isdigit, text)) / len(text) if text[0].isdigit() else 0.0
    checks: tuple[tuple[bool, str], ...] = (
        (_upper_fraction(text) > MAX_UPPER_FRACTION, "refinedweb:upper_case"),
        (digits >= MAX_DIGIT_FRACTION, "refinedweb:digits"),
        (
            len(text) < MAX_COUNTER_CHARS and _COUNTER.fullmatch(text) is not None,
            "refinedweb:counter",
        ),
        (not _has_words(text, 2), "refinedweb:one_word"),
    )
    for failed, reason in checks:
        if failed:
            yield from _drop(line, reason)
            return
    if not _has_words(text, SHORT_LINE_WORDS + 1):
        for pattern in (_ITEMS_IN_CART, _READ_MORE, _SIGN_IN):
            if match := pattern.search(text):
                yield _trim(line, match, "refinedweb:phrase")


_Judge = Callable[[_Line, _Page], Iterator[MarkedEdit]]
_JUDGES: dict[LineRules, tuple[_Judge, Callable[[list[str], _Page], Sequence[int]]]] = {
    "c4": (_c4, _all_lines),
    "c4_without_marks": (_c4_without_marks, _suspects_of_c4),
    "refinedweb": (_refinedweb, _all_lines),
}
