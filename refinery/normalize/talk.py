"""Tell talk from code, mathematics and reference text, block by block.

Codes and typed faces are words only where people talk to each other: `[ok]` behind a Chinese sentence
is a sticker, behind a letter an index. A block is a run of lines between empty ones. It is code if
it is fenced, indented, or holds a sign of code in any line; a text with many such lines is code as a
whole, comments included. A block is talk if it is no code and speaks to somebody.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from refinery.normalize.emoji_words import language_of

# A file of source code has far more such lines, an article with listings in it as a rule fewer.
MOST_CODE_LINES = 0.2
FEWEST_CODE_LINES = 3

_FENCE = re.compile(r"\s{0,3}(```|~~~)")
_INDENTED = re.compile(r"(?: {4}|\t)")
_CODE = re.compile(
    r"[;{}]\s*$"  # ends of statements
    r"|[A-Za-z0-9]_*\((?!s\)|es\))"  # calls, but not "file(s)"
    r"|[A-Za-z_]\w*\["  # indices
    r"|[=!<>+\-*/|&%:]=|=>|->|<-|::|&&|\|\| |<<|\w>>"  # operators
    r"|[A-Za-z0-9_\])]\s*=\s*(?![DP](?:\W|$))[A-Za-z0-9_\"'\[({<\-]"  # assignments and equations
    r"|^\s*(?:#include|#define|#!|//|/\*|\*/|>>> |\$ |\.\. \w|@\w|\"\"\"|''')"
    r"|^\s*(?:import \w[\w.]*$|from \S+ import |(?:def|class) \w+.*:$)"
    r"|^\s*(?:(?:el)?if|for|while|else|try|except|with)\b.*:$"
    r"|</[A-Za-z][\w-]*>|<[A-Za-z][\w-]*\s[^>]*=|<[A-Za-z][\w-]*\s?/>"  # markup
    r"|\\[A-Za-z]|\$[A-Za-z_{(]|\$[^$\s][^$]*\$|`"  # TeX, shell, inline code
    r"|[a-z0-9]{2}_[a-z0-9]{2}|(?:^|\s)--[a-z]"  # names and options
    r"|\b(?:INFO|WARN|WARNING|ERROR|DEBUG|TRACE|FATAL)\b"  # logs
    r"|[∑∏∫√≤≥≠∈∉⊂∀∃∂≈≡±×÷]"  # mathematics
)
_TALK = re.compile(
    r"\b(?:i|i'm|i've|u|you|your|me|my|we|hi|hey|hello|lol|haha\w*|hehe\w*|thanks|thx|thank|omg|btw|"
    r"imo|love|yeah|yay|wow|sorry|please|awesome|congrats|hope|guys)\b|[A-Za-z]!"
    r"|[吗呢吧啊哈呀啦哦嗯嘛呵嘿哎唉喔噢耶您你咱！～~]|我(?![国省市县校院部司局])|谢谢",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Run:
    """Lines with their ends: a fenced listing, lines in a row, or empty lines in a row.

    Attributes:
        start: Offset of the first line in the text.
    """

    start: int
    lines: list[str]

    @property
    def text(self) -> str:
        return "".join(self.lines)

    @property
    def is_fenced(self) -> bool:
        return _FENCE.match(self.lines[0]) is not None


@dataclass(frozen=True)
class Block:
    """A run that is no code."""

    text: str

    @functools.cached_property
    def is_talk(self) -> bool:
        """Whether it speaks to somebody."""
        return _TALK.search(self.text) is not None

    @functools.cached_property
    def language(self) -> str:
        """ "zh" or "en", by the block's own letters."""
        return language_of(self.text)


def is_code(run: Run, faces: re.Pattern[str] | None) -> bool:
    """Whether a run is code; what `faces` matches is no sign of it."""
    return run.is_fenced or any(_flags(run.lines, faces))


def is_code_as_a_whole(runs: list[Run], faces: re.Pattern[str] | None) -> bool:
    """Whether a text of these runs is a file of source code, comments included."""
    # No line of a source file is fenced: fences are what prose has around its listings.
    flags = [flag for run in runs if not run.is_fenced for flag in _flags(run.lines, faces)]
    return sum(flags) >= FEWEST_CODE_LINES and sum(flags) > MOST_CODE_LINES * len(flags)


def _flags(lines: list[str], faces: re.Pattern[str] | None) -> Iterator[bool]:
    """Whether each line of a block that is no blank is code; what `faces` matches is no sign of it."""
    filled = [line for line in lines if line.strip()]
    if filled and all(map(_INDENTED.match, filled)):
        yield from [True] * len(filled)
        return
    for line in filled:
        yield _is_code(line if faces is None else faces.sub(" ", line))


def _is_code(line: str) -> bool:
    return _CODE.search(line) is not None


def split_runs(text: str) -> list[Run]:
    """The runs of a text in order; their texts make it up."""
    runs: list[Run] = []
    offset = 0
    for lines in _grouped(text):
        runs.append(Run(offset, lines))
        offset += sum(map(len, lines))
    return runs


def _grouped(text: str) -> Iterator[list[str]]:
    fence: str | None = None
    run: list[str] = []
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if fence is not None:
            run.append(line)
            if mark is not None and mark[1] == fence:
                yield run
                fence, run = None, []
        elif mark is not None:
            yield from _split_at_empty(run)
            fence, run = mark[1], [line]
        else:
            run.append(line)
    # A fence that nothing closes goes on to the end.
    yield from [run] if fence is not None else _split_at_empty(run)


def _split_at_empty(lines: list[str]) -> Iterator[list[str]]:
    for _, group in itertools.groupby(lines, key=lambda line: not line.isspace()):
        yield list(group)
