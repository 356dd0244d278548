"""Parents, depths and paths of elements against walks over a stack."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from refinery.extract.nesting import nest, number_paths

# A walk through a tree: how many elements close before each one opens.
WALKS = st.lists(st.integers(0, 3), max_size=30)


def read(walk: list[int]) -> tuple[list[int], list[int], list[int], list[list[int]]]:
    """Opening and closing tags of elements, their parents, and what is open behind each tag."""
    openings, closings, parents = [0], [0], [0]
    stack, tag, open_behind = [0], 0, [[0]]
    for closing in walk:
        for _ in range(min(closing, len(stack) - 1)):
            tag += 1
            closings[stack.pop()] = tag
            open_behind.append(list(stack))
        tag += 1
        parents.append(stack[-1])
        stack.append(len(openings))
        openings.append(tag)
        closings.append(tag)
        open_behind.append(list(stack))
    while stack:
        tag += 1
        closings[stack.pop()] = tag
        open_behind.append(list(stack))
    return openings, closings, parents, open_behind


@settings(max_examples=200, deadline=None)
@given(WALKS)
def test_parents_depths_and_holders_are_those_of_a_stack(walk: list[int]) -> None:
    openings, closings, parents, open_behind = read(walk)

    # Behind every tag but the last, which closes the root, a block begins.
    num_tags = len(open_behind)
    first_nodes = 2 * np.arange(num_tags - 1) + 1
    nesting = nest(np.array(openings), np.array(closings), first_nodes, num_tags)

    assert nesting.parents.tolist() == parents
    depths = [0]
    for parent in parents[1:]:
        depths.append(depths[parent] + 1)
    assert nesting.depths.tolist() == depths
    assert nesting.holders.tolist() == [inside[-1] for inside in open_behind[:-1]]
    assert nesting.starts.tolist() == openings
    assert nesting.ends.tolist() == closings


def test_a_block_at_a_tag_itself_is_inside_of_what_the_tag_opens() -> None:
    nesting = nest(np.array([0, 1, 3]), np.array([5, 2, 4]), np.array([2, 5, 6]), 6)

    assert nesting.holders.tolist() == [1, 0, 2]
    assert nesting.starts.tolist() == [0, 0, 2]
    assert nesting.ends.tolist() == [3, 1, 3]


def test_markup_that_closes_nothing_leaves_every_walk_up_finite() -> None:
    nesting = nest(np.array([0, 1, 2, 3]), np.array([0, 1, 1, 3]), np.array([1, 7]), 4)

    assert all(parent <= max(e - 1, 0) for e, parent in enumerate(nesting.parents.tolist()))


def test_a_path_is_the_same_wherever_it_begins_below_the_root() -> None:
    #        root, a.x, b, b, a.x, b, a.y, b
    parents = np.array([0, 0, 1, 1, 0, 4, 0, 6])
    tags = np.array([9, 1, 2, 2, 1, 2, 1, 2])
    classes = np.array([5, 1, 0, 0, 1, 0, 2, 0])

    paths = number_paths(parents, tags, classes)

    assert paths[1] == paths[4] != paths[6]
    assert paths[2] == paths[3] == paths[5] != paths[7]
    assert len(set(paths.tolist())) == 5


def test_one_level_is_no_two() -> None:
    # A path of one tag and one of twice that tag differ, though the sums of small numbers may not.
    paths = number_paths(np.array([0, 0, 1, 0]), np.array([0, 1, 1, 2]), np.zeros(4, np.int64))

    assert len(set(paths.tolist())) == 4
