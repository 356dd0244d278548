from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinery.text.edits import Edit, EditMap, apply_edits, merge_edits


def test_overlaps_merge_to_their_union_with_the_earlier_stages_replacement() -> None:
    first, later = Edit(5, 9, "<A>"), Edit(2, 6, "<B>")

    assert merge_edits([first, later]) == [Edit(2, 9, "<A>")]
    assert merge_edits([later, first]) == [Edit(2, 9, "<B>")]


def test_neighbours_do_not_merge() -> None:
    assert apply_edits("abcdef", [Edit(0, 2, "X"), Edit(2, 4, "Y")]) == "XYef"


def test_an_edit_beyond_the_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"3\.\.9 in a text of 4"):
        apply_edits("abcd", [Edit(3, 9)])


@given(st.text(max_size=30), st.data())
def test_spans_map_back_to_what_they_were_cut_from(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    edits = [Edit(a, b, "<>") for a, b in zip(cuts[::2], cuts[1::2], strict=False) if a < b]
    edited, mapping = apply_edits(text, edits), EditMap(edits)
    # Brute force: the original offset of every character that stayed.
    kept = [
        i for i in range(len(text)) if not any(e.start <= i < e.end for e in merge_edits(edits))
    ]
    where = list(range(len(edited)))
    for merged in merge_edits(edits):
        offset = mapped_offset(merged, edits)
        where = [i for i in where if not offset <= i < offset + 2]

    for offset, original in zip(where, kept, strict=True):
        assert mapping.to_original(offset, offset + 1) == (original, original + 1)


def mapped_offset(edit: Edit, edits: list[Edit]) -> int:
    """Where an edit's two-character replacement lies in the edited text."""
    offset = edit.start
    for other in merge_edits(edits):
        if other.start < edit.start:
            offset += 2 - (other.end - other.start)
    return offset
