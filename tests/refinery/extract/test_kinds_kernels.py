"""Kernels over all tags of a page, against plain readings."""

import random

import numpy as np
import pytest

from refinery.extract.kinds import (
    cover,
    fill_kinds,
    lay_out_unknown,
    skip_inside,
    sort_by_name,
)
from refinery.extract.tag_kinds import Kind

BLOCK, INLINE, SKIP, CLOSING = (
    int(kind) for kind in (Kind.BLOCK, Kind.INLINE, Kind.SKIP, Kind.CLOSING)
)
NUM_NAMES = 4


class Nested:
    """Random elements of four names, some of them void."""

    def __init__(self, seed: int) -> None:
        generator = random.Random(seed)
        names: list[int] = []
        self.closings: list[int] = []
        opened: list[int] = []
        for tag in range(generator.randrange(40)):
            self.closings.append(tag)
            if opened and generator.random() < 0.4:
                opening = opened.pop(generator.choice((-1, 0)))  # elements may overlap
                self.closings[opening] = tag
                names.append(names[opening])
                continue
            names.append(generator.randrange(NUM_NAMES))
            if generator.random() < 0.7:
                opened.append(tag)
        self.names = names
        closed = {end for tag, end in enumerate(self.closings) if end != tag}
        self.is_opening = [tag not in closed for tag in range(len(names))]


@pytest.mark.parametrize("seed", range(20))
def test_opening_tags_are_sorted_by_name(seed: int) -> None:
    page = Nested(seed)
    bounds, tags = np.empty(NUM_NAMES + 1, np.int64), np.empty(len(page.names), np.int64)

    sort_by_name(np.array(page.names, np.int64), np.array(page.is_opening, bool), bounds, tags)

    for name in range(NUM_NAMES):
        expected = [
            tag for tag, own in enumerate(page.names) if own == name and page.is_opening[tag]
        ]
        assert tags[bounds[name] : bounds[name + 1]].tolist() == expected


@pytest.mark.parametrize("seed", range(20))
def test_elements_cover_what_stands_between_their_tags(seed: int) -> None:
    page = Nested(seed)
    chosen = [tag for tag in range(len(page.names)) if page.is_opening[tag] and tag % 3 == 0]
    found = np.empty(len(page.names), np.bool_)

    cover(np.array(page.closings, np.int64), np.array(chosen, np.int64), found)

    expected = [
        any(tag <= inner < page.closings[tag] for tag in chosen) for inner in range(len(page.names))
    ]
    assert found.tolist() == expected


@pytest.mark.parametrize("seed", range(20))
def test_what_is_inside_of_no_text_is_none(seed: int) -> None:
    page = Nested(seed)
    kinds = np.array([SKIP if name == 0 else INLINE for name in page.names], np.int64)
    skipping = [tag for tag, kind in enumerate(kinds.tolist()) if kind == SKIP]
    inside = [any(tag <= i < page.closings[tag] for tag in skipping) for i in range(len(kinds))]
    expected = [SKIP if is_in or i in skipping else INLINE for i, is_in in enumerate(inside)]
    is_skipped = np.empty(len(kinds), np.bool_)

    skip_inside(np.array(page.closings, np.int64), kinds, is_skipped)

    assert is_skipped.tolist() == inside
    assert kinds.tolist() == expected


@pytest.mark.parametrize("seed", range(20))
def test_an_unknown_element_with_a_block_inside_is_one(seed: int) -> None:
    page = Nested(seed)
    names, closings = np.array(page.names, np.int64), np.array(page.closings, np.int64)
    kinds, tag_ids, num_blocks = np.empty((3, len(names)), np.int64)
    kind_of = np.array([INLINE, BLOCK, INLINE, SKIP])
    fill_kinds(names, np.array(page.is_opening, bool), kind_of, np.arange(4) * 7, kinds, tag_ids)
    before = kinds.tolist()
    is_unknown = np.array([True, False, False, False])

    lay_out_unknown(names, closings, is_unknown, num_blocks, kinds)

    assert tag_ids.tolist() == [7 * name for name in page.names]
    assert before[:1] == [BLOCK][: len(before)]
    for tag in range(1, len(before)):
        assert before[tag] == (kind_of[page.names[tag]] if page.is_opening[tag] else CLOSING)
    for tag, kind in enumerate(before):
        holds = BLOCK in before[tag + 1 : page.closings[tag]]
        is_raised = kind == INLINE and page.names[tag] == 0 and holds
        assert kinds[tag] == (BLOCK if is_raised else kind)
