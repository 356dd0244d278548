"""An edit with the rule that asked for it, before it becomes a row of the table `edits`."""

from __future__ import annotations

from typing import NamedTuple

from refinery.text.edits import Edit


class MarkedEdit(NamedTuple):
    """A span of the normalised text to replace, and why."""

    edit: Edit
    reason: str

    @classmethod
    def of(cls, start: int, end: int, replacement: str, reason: str) -> MarkedEdit:
        return cls(Edit(start, end, replacement), reason)
