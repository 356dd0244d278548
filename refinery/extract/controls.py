"""Controls and parts of a page that are drawn, or not, by their state: boxes, choices, windows, buttons in a line."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from refinery.extract.inline import plain_text
from refinery.extract.scan.names import number_of
from refinery.extract.signs import Signs
from refinery.extract.tag_kinds import Kind
from refinery.extract.tags import Tags

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_INPUT, _SELECT, _OPTION = map(number_of, ("input", "select", "option"))
_DIALOG, _NOSCRIPT, _BUTTON = map(number_of, ("dialog", "noscript", "button"))
_P, _LI = number_of("p"), number_of("li")
_SVG = number_of("svg")
_BLOCK, _INLINE = int(Kind.BLOCK), int(Kind.INLINE)
_MOST_CHOICE_CHARS, _MOST_DRAWING_CHARS = 60, 4_000
_TEXT = re.compile(r"<text\b[^>]*>(.*?)</text>", re.DOTALL)
_MARKUP = re.compile(r"<[^>]*>")


def open_windows(tags: Tags, kinds: Ints) -> None:
    """Windows that stand open are parts of the page."""
    for tag in tags.named(_DIALOG).tolist():
        if " open=" in tags.markup_of(tag):
            kinds[tag] = _BLOCK


def join_lines(tags: Tags, kinds: Ints) -> None:
    """What parts no line: spare images for readers without scripts, buttons inside a sentence."""
    openings = _of_kind(kinds, tags.named(_NOSCRIPT), _BLOCK)
    if len(openings):
        is_text = np.append(~tags.is_blank[:-1], False)
        num_texts = np.cumsum(is_text)
        before = num_texts[openings] - is_text[openings]
        empty = openings[num_texts[tags.closings[openings] - 1] == before]
        kinds[empty] = _INLINE
    buttons = _of_kind(kinds, tags.named(_BUTTON), _BLOCK)
    buttons = buttons[tags.covered(tags.named(_P))[buttons]] if len(buttons) else buttons
    if len(buttons):
        num_blocks = np.cumsum(kinds == _BLOCK)
        is_leaf = num_blocks[tags.closings[buttons]] == num_blocks[buttons]
        kinds[buttons[is_leaf]] = _INLINE


def read_controls(tags: Tags, kinds: Ints, signs: Signs) -> dict[int, str]:
    """What boxes of lists of tasks, choices and drawings inside a sentence say, by index of the tag."""
    texts: dict[int, str] = {}
    inputs = _of_kind(kinds, tags.named(_INPUT), _INLINE)
    inputs = inputs[tags.covered(tags.named(_LI))[inputs]] if len(inputs) else inputs
    if len(inputs):
        in_task = tags.covered(np.array(signs.find("task"), np.int64))[inputs]
        for tag, is_task in zip(inputs.tolist(), in_task.tolist(), strict=True):
            markup = tags.markup_of(tag)
            if 'type="checkbox"' in markup and (is_task or " disabled=" in markup):
                texts[tag] = "[x] " if " checked=" in markup else "[ ] "
    svgs, selects = tags.named(_SVG), tags.named(_SELECT)
    if len(svgs) or len(selects):
        in_paragraph = tags.covered(tags.named(_P))
        for tag in svgs[in_paragraph[svgs]].tolist():
            texts[tag] = _letters(tags, tag)
        for tag in selects[in_paragraph[selects]].tolist():
            texts[tag] = _chosen(tags, tag)
    return texts


def _of_kind(kinds: Ints, chosen: Ints, kind: int) -> Ints:
    """Those of some tags that are of one kind."""
    return chosen[kinds[chosen] == kind] if len(chosen) else chosen


def _letters(tags: Tags, drawing: int) -> str:
    """What is written in a drawing inside a sentence; a chart stands by itself, and its labels are no prose."""
    written = " ".join(_TEXT.findall(tags.inside_of(drawing)[:_MOST_DRAWING_CHARS]))
    letters = " ".join(plain_text(_MARKUP.sub("", written)).split())
    return letters if len(letters) <= _MOST_CHOICE_CHARS else ""


def _chosen(tags: Tags, select: int) -> str:
    """The text of the option that is chosen; empty where the page chooses none."""
    for tag in range(select + 1, int(tags.closings[select])):
        is_option = tags.name_ids[tag] == _OPTION and tags.is_opening[tag]
        if is_option and " selected=" in tags.markup_of(tag):
            return plain_text(tags.inside_of(tag)).strip()[:_MOST_CHOICE_CHARS]
    return ""
