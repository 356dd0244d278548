"""Line rules of C4 and RefinedWeb as edits: a line that fails leaves the text with its line end.

Sources: Raffel et al. 2020 (C4), section 2.2, with terminal marks of Chinese and of other
scripts added, since the paper's ASCII marks would remove each of their lines; Penedo et al. 2023 (RefinedWeb), appendix G.2,
in the form of DCLM's `dclm_baseline_refinedweb.yaml`. Words are tokens of `TextBatch`, so those of
a Chinese line are its characters; C4's three words may also be what blanks separate.

Lines of a whole batch are judged at once, by arrays of code points; patterns run only on the few lines
that these do not settle. Every pattern takes linear time: they run outside of the guarded child.

Legend: D documents, L lines.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from refinery.filters.citations import citations, indexes
from refinery.filters.config import LineRules
from refinery.filters.counting import Mask, end_in_dots
from refinery.filters.line_facts import scan_inside
from refinery.filters.values import (
    Floats,
    code_points,
    count_sentences,
    share,
)
from refinery.text.batch import LETTER, Indices, Lines, TextBatch
from refinery.text.edits import Edit, apply_edits, merge_edits
from refinery.text.marked_edit import MarkedEdit

LINES_VERSION = 5

TERMINAL_MARKS = ".?!\"'。？！…”’」』；؟۔।॥။៕។།።։"
MAX_WORD_CHARS = 1000
MIN_C4_WORDS = 3
SHORT_LINE_WORDS = 10
MAX_COUNTER_CHARS = 200
MAX_UPPER_FRACTION = 0.5
MAX_DIGIT_FRACTION = 0.999999

JAVASCRIPT = "javascript"
POLICIES = (
    "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies",
    "use cookies", "使用条款", "隐私政策", "隐私权政策", "使用cookie",
)  # fmt: skip
# Every policy phrase holds one of these, and most texts hold none of them.
POLICY_WORDS = ("cookie", "policy", "terms of use", "使用条款", "政策")
PHRASES = (
    "in cart", "in your cart", "read more", "阅读全文", "查看更多", "sign in", "sign-in", "登录",
)  # fmt: skip
# What follows the bracket of a citation; zero begins an index.
CITATION_STARTS = "123456789]ecEC编來来"
_COUNTER = re.compile(
    r"\W*\d[\d,.]*[km万]?\s*(?:likes?|shares?|comments?|retweets?|reposts?|quotes?|bookmarks?"
    r"|upvotes?|downvotes?|downloads?|views?|followers?|个?赞|条?评论|次?转发|次?浏览|次?阅读|收藏)\W*",
    re.IGNORECASE,
)
_PHRASES = (
    re.compile(r"(?<!\d)\d{0,6}\s{0,4}items? in (?:your )?cart", re.IGNORECASE),
    re.compile(r"(?:read more|阅读全文|查看更多)\W{0,20}$", re.IGNORECASE),
    re.compile(r"^\W{0,20}(?:sign[- ]in|登录)", re.IGNORECASE),
)
_ANY_PHRASE = re.compile("in cart|in your cart|read more|sign[- ]in|[阅查登]", re.IGNORECASE)
CITATION, PHRASE = TRIMS = ("c4:citation", "refinedweb:phrase")


@dataclass
class _View:
    """Lines of a batch, and what the rules have done to them so far.

    Attributes:
        lowered: The D texts as bytes in lower case.
        line_ends: Offsets of all line feeds.
        num_words: [L] tokens of each line.
        blank_words: [L] words between blanks.
        longest: [L] most characters without a blank between them.
        capitals: [L] capital letters.
        cited: [L] whether a bracket stands before the first character of a citation.
        left: [L] whether no rule has dropped the line yet.
        edits: [D] cuts of each document so far.
        counts: [D] lines that each rule dropped or trimmed, by reason.
    """

    batch: TextBatch
    lines: Lines
    lowered: list[bytes]
    line_ends: Indices
    num_words: Indices
    blank_words: Indices
    longest: Indices
    capitals: Indices
    cited: Mask
    left: Mask
    edits: list[list[MarkedEdit]]
    counts: list[Counter[str]]

    @classmethod
    def of(cls, batch: TextBatch) -> _View:
        lines = batch.lines()
        first = np.searchsorted(batch.token_starts, lines.starts)
        num_words = np.searchsorted(batch.token_starts, lines.ends) - first
        blank_words, longest, capitals, cited = scan_inside(
            batch.codes, batch.classes, lines.starts, lines.ends, code_points(CITATION_STARTS)
        )
        # Lower-casing bytes is many times as fast as lower-casing text, and enough for phrases.
        lowered = [text.encode("utf-8", "surrogatepass").lower() for text in batch.texts]
        return cls(
            batch=batch,
            lines=lines,
            lowered=lowered,
            line_ends=np.flatnonzero(batch.codes == 0x0A),
            num_words=num_words,
            blank_words=blank_words,
            longest=longest,
            capitals=capitals,
            cited=cited,
            left=np.ones(len(lines.starts), bool),
            edits=[[] for _ in batch.texts],
            counts=[Counter() for _ in batch.texts],
        )

    def text(self, line: int) -> str:
        """The line without the white space around it."""
        doc = int(self.lines.doc[line])
        text, begin = self.batch.texts[doc], int(self.batch.starts[doc])
        return text[self.lines.starts[line] - begin : self.lines.ends[line] - begin]

    def holding(self, phrases: tuple[str, ...], *, hint: tuple[str, ...] = ()) -> Mask:
        """[L] whether the document of a line holds one of the phrases, in any case.

        Each phrase must hold one of the words of `hint`. Most documents hold none of these, and are
        searched for nothing else.
        """
        sought, likely = _encoded(phrases), _encoded(hint or phrases)
        docs = np.array(
            [likely.are_in(text) and sought.are_in(text) for text in self.lowered], bool
        )
        return np.asarray(docs[self.lines.doc])

    def drop(self, failed: Mask | Sequence[int], reason: str) -> None:
        """Cut lines that no earlier rule has cut, each with its line end."""
        mask = np.zeros(len(self.left), bool)
        mask[failed] = True
        dropped = np.flatnonzero(mask & self.left)
        self.left[dropped] = False
        if len(dropped) == 0:
            return
        starts, docs = self.batch.starts, self.lines.doc[dropped]
        ends = np.append(self.line_ends, len(self.batch.codes))
        after = np.searchsorted(self.line_ends, self.lines.starts[dropped])
        opens = np.maximum(np.append(-1, ends)[after] + 1, starts[docs])
        closes = np.minimum(ends[after] + 1, starts[docs + 1])
        # Neighbours leave in one edit: a page of a million short lines must not become as many rows.
        opens_anew = (opens[1:] != closes[:-1]) | (docs[1:] != docs[:-1])
        first = np.flatnonzero(np.concatenate(([True], opens_anew)))
        last = np.append(first[1:], len(docs)) - 1
        docs, begins = docs[first], starts[docs[first]]
        spans = map(Edit, (opens[first] - begins).tolist(), (closes[last] - begins).tolist())
        for doc, span, count in zip(docs.tolist(), spans, (last - first + 1).tolist(), strict=True):
            self.edits[doc].append(MarkedEdit(span, reason))
            self.counts[doc][reason] += count

    def trim(self, line: int, matches: Iterable[re.Match[str]], reason: str) -> None:
        """Cut spans that a pattern matched in the line's text."""
        doc = int(self.lines.doc[line])
        offset = int(self.lines.starts[line] - self.batch.starts[doc])
        for match in matches:
            edit = MarkedEdit.of(offset + match.start(), offset + match.end(), "", reason)
            self.edits[doc].append(edit)
            self.counts[doc][reason] += 1

    def where(self, candidates: Mask, is_so: Callable[[str], bool]) -> list[int]:
        """Indices of the candidates that no rule has dropped and whose text passes the test."""
        lines = np.flatnonzero(candidates & self.left).tolist()
        return [line for line in lines if is_so(self.text(line))]


@dataclass(frozen=True)
class LineEdits:
    """What line rules take out of the texts of a batch.

    Attributes:
        edits: [D] removals and trims, in their order; neighbours with one reason are one removal.
        counts: [D] lines and parts of lines by reason.
    """

    edits: list[list[MarkedEdit]]
    counts: list[Counter[str]]


def line_edits(batch: TextBatch, rules: Sequence[LineRules]) -> LineEdits:
    """Judge all lines by sets of rules; each set sees all lines of the text, and blank lines stay."""
    view = _View.of(batch)
    for name in rules:
        view.left[:] = True
        _RULES[name](view)
    return LineEdits([sorted(edits) for edits in view.edits], view.counts)


@dataclass(frozen=True)
class _Phrases:
    """Phrases as bytes; those that no ASCII text can hold stand apart."""

    ascii: tuple[bytes, ...]
    others: tuple[bytes, ...]

    def are_in(self, text: bytes) -> bool:
        """Whether the text holds any of them."""
        if any(phrase in text for phrase in self.ascii):
            return True
        return not text.isascii() and any(phrase in text for phrase in self.others)


@functools.cache
def _encoded(phrases: tuple[str, ...]) -> _Phrases:
    return _Phrases(
        tuple(phrase.encode() for phrase in phrases if phrase.isascii()),
        tuple(phrase.encode() for phrase in phrases if not phrase.isascii()),
    )


def _c4(view: _View) -> None:
    last = view.batch.codes[view.lines.ends - 1]
    marked = np.isin(last, code_points(TERMINAL_MARKS))
    dotted = end_in_dots(view.batch.codes, view.lines.starts, view.lines.ends)
    view.drop(~marked | dotted, "c4:no_terminal_mark")
    _c4_without_marks(view)


def _c4_without_marks(view: _View) -> None:
    scripted = view.holding((JAVASCRIPT,))
    view.drop(view.where(scripted, lambda text: JAVASCRIPT in text.lower()), "c4:javascript")
    view.drop(view.where(view.holding(POLICIES, hint=POLICY_WORDS), _names_policy), "c4:policy")
    few = (view.num_words < MIN_C4_WORDS) & (view.blank_words < MIN_C4_WORDS)
    view.drop(few, "c4:few_words")
    view.drop(view.where(view.longest > MAX_WORD_CHARS, _has_long_word), "c4:long_word")
    cited = np.flatnonzero(view.cited & view.left)
    docs = set(view.lines.doc[cited].tolist())
    is_prose = {doc: not indexes(view.batch.texts[doc]) for doc in docs}
    for line in cited.tolist():
        if is_prose[int(view.lines.doc[line])]:
            view.trim(line, citations(view.text(line)), CITATION)


def _names_policy(text: str) -> bool:
    lower = text.lower()
    return any(phrase in lower for phrase in POLICIES)


def _has_long_word(text: str) -> bool:
    return text.isascii() and any(len(word) > MAX_WORD_CHARS for word in text.split())


def _refinedweb(view: _View) -> None:
    batch, lines = view.batch, view.lines
    chars = lines.ends - lines.starts
    view.drop(view.capitals > MAX_UPPER_FRACTION * chars, "refinedweb:upper_case")
    # Only a line whose first word begins with no letter can be digits alone, or a counter.
    token = np.searchsorted(batch.token_starts, lines.starts)
    numeric = view.num_words > 0
    numeric[numeric] = batch.classes[batch.token_starts[token[numeric]]] & LETTER == 0
    view.drop(view.where(numeric, _is_digits), "refinedweb:digits")
    counters = numeric & (chars < MAX_COUNTER_CHARS)
    view.drop(
        view.where(counters, lambda text: bool(_COUNTER.fullmatch(text))), "refinedweb:counter"
    )
    view.drop(view.num_words < 2, "refinedweb:one_word")
    short = view.holding(PHRASES) & (view.num_words <= SHORT_LINE_WORDS)
    for line in view.where(short, lambda text: bool(_ANY_PHRASE.search(text))):
        matches = (pattern.search(view.text(line)) for pattern in _PHRASES)
        view.trim(line, (match for match in matches if match), PHRASE)


def _is_digits(text: str) -> bool:
    return sum(map(str.isdigit, text)) >= MAX_DIGIT_FRACTION * len(text)


_RULES: dict[LineRules, Callable[[_View], None]] = {
    "c4": _c4,
    "c4_without_marks": _c4_without_marks,
    "refinedweb": _refinedweb,
}


def removed_word_fractions(batch: TextBatch, edits: Sequence[Sequence[MarkedEdit]]) -> Floats:
    """[D] share of the words that lie inside cuts (RefinedWeb drops a page above 0.05)."""
    gone = np.zeros(batch.num_texts)
    for doc, marked in enumerate(edits):
        cuts = merge_edits([one.edit for one in marked if not one.edit.replacement])
        if cuts:
            spans = batch.starts[doc] + np.array([(cut.start, cut.end) for cut in cuts])
            tokens = np.searchsorted(batch.token_starts, spans)
            gone[doc] = (tokens[:, 1] - tokens[:, 0]).sum()
    return share(gone, batch.num_tokens)


def sentences_left(batch: TextBatch, edits: Sequence[Sequence[MarkedEdit]]) -> Floats:
    """[D] sentences after line rules, which is when C4 counts them.

    Sentences of dropped lines are left out. A text that lost a part of a line is split into sentences
    anew.
    """
    lines, offsets = batch.lines(), batch.starts.tolist()
    cuts: list[tuple[int, int]] = []
    trimmed: list[int] = []
    for doc, marked in enumerate(edits):
        offset = offsets[doc]
        cuts += [
            (offset + start, offset + end)
            for (start, end, _), reason in marked
            if reason not in TRIMS
        ]
        if any(reason in TRIMS for _, reason in marked):
            trimmed.append(doc)
    first, end = np.searchsorted(lines.starts, np.array(cuts, np.int64).reshape(-1, 2)).T
    change = np.zeros(len(lines.starts) + 1, np.int64)
    np.add.at(change, first, 1)
    np.subtract.at(change, end, 1)
    left = count_sentences(batch, lines.subset(np.cumsum(change[:-1]) == 0))
    if trimmed:
        texts = [apply_edits(batch.texts[doc], [e.edit for e in edits[doc]]) for doc in trimmed]
        again = TextBatch.of(texts)
        left[trimmed] = count_sentences(again, again.lines())
    return left
