"""Where a prompt ends and a choice begins: in the text, and in its tokens."""

from __future__ import annotations

from collections.abc import Sequence

# Scripts that write words without spaces between them, with their punctuation and full-width forms.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x312F),  # radicals, CJK punctuation, kana, Bopomofo
    (0x3190, 0x9FFF),  # kanbun, strokes, enclosed, extension A, ideographs
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0xFE30, 0xFE4F),  # vertical punctuation
    (0xFF00, 0xFFEF),  # full-width forms
    (0x1B000, 0x1B16F),  # kana supplements
    (0x20000, 0x3FFFF),  # further ideographs
)
# Chinese text takes these from Western punctuation.
_SHARED = "\u2018\u2019\u201c\u201d\u2014\u2026\u00b7"


def blank_between(prompt: str, choice: str) -> str:
    """What stands between prompt and choice: a space, unless a side writes none there.

    A space follows no white space, and none stands beside a character of a script without spaces.
    """
    if not prompt or prompt[-1].isspace() or not choice or choice[0].isspace():
        return ""
    before = prompt.rstrip(_SHARED)[-1:] or prompt[-1]
    after = choice.lstrip(_SHARED)[:1] or choice[0]
    return "" if is_unspaced(before) or is_unspaced(after) else " "


def is_unspaced(character: str) -> bool:
    """Whether a character belongs to a script that writes no spaces between words."""
    code = ord(character)
    return any(first <= code <= last for first, last in _UNSPACED)


def cut_at_border(
    prompt: Sequence[int], whole: Sequence[Sequence[int]]
) -> tuple[list[int], list[list[int]]]:
    """Cut the tokens of each text behind those that all of them share with the prompt.

    Where a token reaches over the border, what the prompt gave to it belongs to the choices, to all of
    them alike: each gets the likelihood of the same text.

    Returns:
        The tokens of the context, and those of each choice behind it: one at least.
    """
    shared = min(len(prompt), *(len(ids) - 1 for ids in whole))
    for ids in whole:
        equal = 0
        while equal < shared and ids[equal] == prompt[equal]:
            equal += 1
        shared = equal
    shared = max(shared, 0)
    return list(prompt[:shared]), [list(ids[shared:]) for ids in whole]
