from __future__ import annotations

import random

import pyarrow as pa
import pytest

from refinery.text.edited import edited
from refinery.text.edits import Edit, apply_edits
from refinery.text.utf8 import Texts

SPANS = pa.list_(
    pa.struct([("start", pa.int32()), ("end", pa.int32()), ("replacement", pa.string())])
)


def _column(edits: list[list[Edit] | None]) -> pa.Array:
    rows = [None if own is None else [edit._asdict() for edit in own] for own in edits]
    return pa.array(rows, SPANS)


@pytest.mark.parametrize("seed", range(40))
def test_edits_are_applied_as_one_by_one(seed: int) -> None:
    source = random.Random(seed)
    texts = ["".join(source.choices("ab今é\U0001f600\n", k=source.randrange(30))) for _ in range(8)]
    edits: list[list[Edit] | None] = []
    for text in texts:
        bounds = [
            sorted(source.choices(range(len(text) + 1), k=2)) for _ in range(source.randrange(6))
        ]
        own = [Edit(a, b, source.choice(("", "x", "好的"))) for a, b in bounds]
        edits.append(own if source.random() < 0.8 else None)

    found = edited(Texts.of(texts), _column([None, *edits]).slice(1))

    expected = [apply_edits(text, own or []) for text, own in zip(texts, edits, strict=True)]
    assert list(found.strings()) == expected


@pytest.mark.parametrize("edit", [Edit(2, 5), Edit(6, 7), Edit(-1, 1), Edit(2, 1)])
def test_an_edit_beyond_its_text_is_refused(edit: Edit) -> None:
    with pytest.raises(ValueError, match=rf"edit {edit.start}\.\.{edit.end} in a text of 3"):
        edited(Texts.of(["abcd", "a今b"]), _column([None, [edit]]))
