"""Fill the blanks of a text with a model of span corruption.

A blank, `___` or `<extra_id_N>`, becomes the next sentinel; the model answers with each sentinel
and the span that it stood for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

BLANK = re.compile(r"_{3,}|<extra_id_\d+>")


@dataclass(frozen=True, kw_only=True)
class BlankText:
    """A text whose blanks are numbered sentinels.

    Attributes:
        text: The text as the tokenizer takes it.
        count: Number of blanks in the text.
    """

    text: str
    count: int


def with_sentinels(text: str) -> BlankText:
    """Number the blanks from 0, in order."""
    pieces = BLANK.split(text)
    numbered = "".join(
        piece + (f"<extra_id_{number}>" if number + 1 < len(pieces) else "")
        for number, piece in enumerate(pieces)
    )
    return BlankText(text=numbered, count=len(pieces) - 1)


def spans_of(answer: Sequence[int], sentinels: Sequence[int], count: int) -> list[list[int]]:
    """The tokens that the answer gives for each of `count` sentinels; none for a skipped one."""
    spans: list[list[int]] = [[] for _ in range(count)]
    number_of = {token: number for number, token in enumerate(sentinels)}
    current = -1
    for token in answer:
        if token in number_of:
            current = number_of[token]
        elif 0 <= current < count:
            spans[current].append(token)
    return spans


def filled(text: str, spans: Sequence[str]) -> str:
    """The text with its blanks replaced by the spans, single spaces at their borders kept."""
    pieces = BLANK.split(text)
    whole = pieces[0]
    for span, piece in zip(spans, pieces[1:], strict=True):
        whole += span.strip() + piece
    return whole
