"""Find the span of a text that a rule objects to, for people to look at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from unicodedata import east_asian_width

from refinery.text.batch import TextBatch

Span = tuple[int, int]

SHORT_LINE_CHARS = 30
MAX_CHARS = 50_000
_NUMBERED = re.compile(r"^repetition:(?:top|dup)_(\d+)gram$")
_LINE = re.compile(r"[^\n]+")
_PARAGRAPH = re.compile(r"[^\n](?:[^\n]|\n(?!\s*\n))*")
_ENDS = ".!?\"'”’。！？…」』）)"


def offending_span(text: str, reason: str) -> Span | None:
    """Offsets of the first code point, and one past the last, of what `reason` objects to.

    None where a reason is about the whole document (its length, its language, its score), or where
    the first 50,000 characters hold no such span.
    """
    text = text[:MAX_CHARS]
    numbered = _NUMBERED.match(reason)
    if numbered:
        return _repeated_tokens(text, int(numbered[1]))
    finder = _FINDERS.get(reason)
    return finder(text) if finder else None


def _repeated_tokens(text: str, size: int) -> Span | None:
    """The second occurrence of the n-gram that occurs most often; of equals, the first."""
    batch = TextBatch.of([text])
    starts: dict[tuple[int, ...], list[int]] = {}
    hashes = batch.token_hashes.tolist()
    for start in range(len(hashes) - size + 1):
        starts.setdefault(tuple(hashes[start : start + size]), []).append(start)
    best = max(starts.values(), key=len, default=[])
    if len(best) < 2:
        return None
    return int(batch.token_starts[best[1]]), int(batch.token_ends[best[1] + size - 1])


def _repeated(pattern: re.Pattern[str]) -> Callable[[str], Span | None]:
    """Finder of the first match whose text an earlier match has, too."""

    def find(text: str) -> Span | None:
        seen = set()
        for match in pattern.finditer(text):
            piece = match.group().strip()
            if piece in seen:
                return match.span()
            if piece:
                seen.add(piece)
        return None

    return find


def _first_line(is_it: Callable[[str], bool]) -> Callable[[str], Span | None]:
    def find(text: str) -> Span | None:
        for match in _lines(text):
            if is_it(match.group().strip()):
                return match.span()
        return None

    return find


def _lines(text: str) -> Iterator[re.Match[str]]:
    return (match for match in _LINE.finditer(text) if match.group().strip())


def _columns(line: str) -> int:
    return len(line) + sum(east_asian_width(char) in "WF" for char in line)


def _first(pattern: str) -> Callable[[str], Span | None]:
    compiled = re.compile(pattern)

    def find(text: str) -> Span | None:
        match = compiled.search(text)
        return match.span() if match else None

    return find


_FINDERS: dict[str, Callable[[str], Span | None]] = {
    "repetition:dup_lines": _repeated(_LINE),
    "repetition:dup_line_chars": _repeated(_LINE),
    "repetition:dup_paragraphs": _repeated(_PARAGRAPH),
    "repetition:dup_paragraph_chars": _repeated(_PARAGRAPH),
    "gopher:hash_ratio": _first(r"#+"),
    "gopher:ellipsis_ratio": _first(r"\.{3,}|…+"),
    "gopher:ellipsis_lines": _first_line(lambda line: line.endswith(("...", "…"))),
    "gopher:bullet_lines": _first_line(lambda line: line.startswith(("•", "‣", "-", "*", "●"))),
    "gopher:alpha_words": _first(r"(?<!\S)[^\w\s]*\d[\d\W]*(?!\S)|(?<!\S)[^\w\s]+(?!\S)"),
    "symbols:text_share": _first(r"[^\w\s]{3,}"),
    "fineweb:short_lines": _first_line(lambda line: _columns(line) <= SHORT_LINE_CHARS),
    "fineweb:line_punctuation": _first_line(lambda line: not line.endswith(tuple(_ENDS))),
    "fineweb:dup_line_chars": _repeated(_LINE),
    "c4:lorem_ipsum": _first(r"(?i)lorem ipsum"),
    "c4:curly_bracket": _first(r"\{[^\n]*"),
    "fineweb:newlines": _first(r"\n[ \t]*\n"),
}
