"""What happens to a benchmark item on its way into a page: the changes that recall is measured on."""

from __future__ import annotations

from collections.abc import Callable

from refinery.text.batch import CJK, WORD, kind_table

WRAP_CHARS = 40
_WIDTH_STEP = 0xFEE0


def wrapped(text: str) -> str:
    """Wrap into lines of about 40 characters, at blanks or between Chinese characters."""
    flat = " ".join(text.split())
    pieces = [flat[i : i + WRAP_CHARS] for i in range(0, len(flat), WRAP_CHARS)]
    # A break inside a Latin word would make two other words of it.
    return "".join(
        piece + ("\n" if piece.endswith(" ") or not piece[-1].isascii() else "") for piece in pieces
    )


def cased(text: str) -> str:
    """Write every character in upper case that has one of a single character."""
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in text)


def _punctuated(text: str) -> str:
    """Replace every punctuation mark by a semicolon between blanks."""
    kinds = kind_table()
    return "".join(
        char if kinds[ord(char)] in (WORD, CJK) else " ; " if not char.isspace() else char
        for char in text
    )


def other_width(text: str) -> str:
    """Swap ASCII characters and their full-width forms."""
    return "".join(
        chr(ord(char) + _WIDTH_STEP)
        if "!" <= char <= "~"
        else chr(ord(char) - _WIDTH_STEP)
        if "！" <= char <= "～"
        else char
        for char in text
    )


def one_word_edit(text: str) -> str:
    """Replace the word (or Chinese character) in the middle."""
    words = text.split(" ")
    middle = len(words) // 2
    if len(words) > 2:
        return " ".join([*words[:middle], "qqzx", *words[middle + 1 :]])
    return text[: len(text) // 2] + "龘" + text[len(text) // 2 + 1 :]


def _same(text: str) -> str:
    return text


EMBEDDED = "embedded"
MUTATIONS: dict[str, Callable[[str], str]] = {
    "verbatim": _same,
    "wrapped": wrapped,
    "cased": cased,
    "punctuated": _punctuated,
    "width": other_width,
    EMBEDDED: _same,
    "one_word_edit": one_word_edit,
}


def plant(host: str, text: str) -> str:
    """Put a text on lines of its own in the middle of a host text."""
    middle = host.rfind("\n", 0, len(host) // 2) + 1
    return host[:middle] + "\n" + text + "\n" + host[middle:]


def embed(host: str, text: str) -> str:
    """Put a text inside a line of a host text, at a blank or between Chinese characters."""
    middle = len(host) // 2
    while 0 < middle < len(host) and not _is_border(host[middle - 1], host[middle]):
        middle -= 1
    before, after = host[:middle], host[middle:]
    return f"{before}{_gap(before[-1:], text[:1])}{text}{_gap(text[-1:], after[:1])}{after}"


def _is_border(left: str, right: str) -> bool:
    kinds = kind_table()
    return not (kinds[ord(left)] == WORD and kinds[ord(right)] == WORD)


def _gap(left: str, right: str) -> str:
    return " " if left and right and not _is_border(left, right) else ""
