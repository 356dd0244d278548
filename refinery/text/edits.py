"""Edits: spans of `cleaned.text` to remove or replace, applied by one function everywhere.

A text is never rewritten: line rules, masks and cuts are rows, so a report can show what was
taken from where. A later stage reads the text with earlier edits applied and maps its spans back.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class Edit(NamedTuple):
    """Replace code points [start, end) by `replacement`."""

    start: int
    end: int
    replacement: str = ""


def edits_of(spans: Iterable[Mapping[str, Any]] | None) -> list[Edit]:
    """Edits from rows of a column of spans (start, end, replacement); a null has none."""
    return [Edit(span["start"], span["end"], span["replacement"]) for span in spans or ()]


def merge_edits(edits: Sequence[Edit]) -> list[Edit]:
    """Sort, and merge overlapping spans to their union.

    `edits` must come in the order of the stages that wrote them: of two that overlap, the earlier
    one's replacement stays.
    """
    merged: list[tuple[Edit, int]] = []
    for rank, edit in sorted(
        enumerate(edits), key=lambda item: (item[1].start, item[1].end, item[0])
    ):
        if merged and edit.start < merged[-1][0].end:
            last, last_rank = merged[-1]
            keeper = last if last_rank <= rank else edit
            union = Edit(last.start, max(last.end, edit.end), keeper.replacement)
            merged[-1] = (union, min(last_rank, rank))
        else:
            merged.append((edit, rank))
    return [edit for edit, _ in merged]


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """The text with every edit applied.

    Raises:
        ValueError: An edit reaches beyond the text.
    """
    pieces, offset = [], 0
    for edit in merge_edits(edits):
        if not 0 <= edit.start <= edit.end <= len(text):
            raise ValueError(f"edit {edit.start}..{edit.end} in a text of {len(text)} code points")
        pieces += [text[offset : edit.start], edit.replacement]
        offset = edit.end
    return "".join([*pieces, text[offset:]])


class EditMap:
    """Maps spans of an edited text back to the original; built once per document."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        # Anchors: (offset in the edited text, offset in the original, characters that map 1:1).
        self._edited = [0]
        self._original = [0]
        edited = original = 0
        for edit in merge_edits(edits):
            edited += edit.start - original
            self._edited.append(edited)
            self._original.append(edit.start)
            edited += len(edit.replacement)
            original = edit.end
            self._edited.append(edited)
            self._original.append(original)

    def to_original(self, start: int, end: int) -> tuple[int, int]:
        """The smallest original span that covers [start, end) of the edited text."""
        return self._offset(start, is_end=False), self._offset(end, is_end=True)

    def _offset(self, edited: int, *, is_end: bool) -> int:
        # An end is mapped by the character before it, which belongs to the span.
        probe = edited - 1 if is_end and edited > 0 else edited
        index = bisect_right(self._edited, probe) - 1
        original = self._original[index] + (probe - self._edited[index])
        if index % 2 == 1:  # inside a replacement: the whole replaced span
            return self._original[index + 1] if is_end else self._original[index]
        return original + 1 if is_end and edited > 0 else original
