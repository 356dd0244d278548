"""Containers, ancestors and likes of blocks on pages small enough to read."""

import numpy as np
import pytest

from refinery.extract.blocks import Blocks, read_blocks
from refinery.extract.elements import (
    NUM_CONTAINER,
    NUM_LEVELS,
    NUM_OWN,
    PageElements,
    container_names,
    own_names,
)
from refinery.extract.tag_kinds import TAG_IDS, TAGS


def levels(blocks: Blocks, block: int) -> list[str]:
    """Tags of the distinct containers of a block, the innermost first."""
    return [TAGS[blocks.tag_ids[element]] for element in PageElements(blocks).levels[:, block]]


def own(blocks: Blocks) -> dict[str, list[float]]:
    rows = np.empty((NUM_OWN, len(blocks.texts)), np.float32)
    PageElements(blocks).write_own(rows)
    return dict(zip(own_names(), rows.tolist(), strict=True))


def test_the_outermost_of_containers_with_the_same_blocks_stands_for_all() -> None:
    blocks = read_blocks("<body><section><div><div><p>a</p></div></div></section><p>b")

    assert levels(blocks, 0) == ["section", "body", "body", "body", "body", "body"]


def test_a_chain_of_containers_collapses_however_deep() -> None:
    blocks = read_blocks(
        "<body><main>" + "<div>" * 100 + "<p>a</p>" + "</div>" * 100 + "</main><p>b"
    )

    assert levels(blocks, 0)[:2] == ["main", "body"]


def test_distinct_containers_are_told_from_inside_out() -> None:
    blocks = read_blocks("<body><article><ul><li>a<p>b</p></li><li>c</li></ul><p>d</article><p>e")

    assert levels(blocks, 1) == ["p", "li", "ul", "article", "body", "body"]
    assert len(levels(blocks, 1)) == NUM_LEVELS


def test_ancestors_and_name_words_above_and_near() -> None:
    blocks = read_blocks(
        "<body><aside class='comment-list'><div><div><p>a</p></div></div></aside>"
        "<p id=footer>b<h1>c</h1><p>d"
    )

    rows = own(blocks)

    assert rows["IS_IN_ASIDE"] == [1, 0, 0, 0]
    assert rows["IS_IN_P"] == [1, 1, 0, 1]
    assert rows["COMMENT_ABOVE"] == [1, 0, 0, 0]
    assert rows["COMMENT_NEAR"] == [0, 0, 0, 0]  # three elements up is not near
    assert rows["FOOT_ABOVE"] == rows["FOOT_NEAR"] == [0, 1, 0, 0]
    assert rows["TAG"] == [TAG_IDS[name] for name in ("p", "p", "h1", "p")]
    assert rows["PARENT_TAG"] == [TAG_IDS[name] for name in ("div", "body", "body", "body")]
    assert rows["DEPTH"] == [4, 1, 1, 1]
    assert rows["IS_HEADING"] == [0, 0, 1, 0]
    assert rows["IS_BEHIND_H1"] == [0, 0, 1, 1]


def test_a_container_gives_its_sums_per_block_and_of_the_page() -> None:
    blocks = read_blocks("<body><div><p>a<p>b<p>c</div><p>d")
    # Only the first of twelve sums counts here: 6, 3, 0 and 1 words.
    sums = np.zeros((12, 5))
    sums[0] = [0, 6, 9, 9, 10]
    rows = np.empty((NUM_LEVELS * NUM_CONTAINER, 4), np.float32)

    PageElements(blocks).write_containers(rows, sums)

    names = container_names()
    second = dict(zip(names, rows[NUM_CONTAINER : 2 * NUM_CONTAINER].tolist(), strict=True))
    assert second["WORDS_PER_BLOCK"] == pytest.approx([9 / 3, 9 / 3, 9 / 3, 10 / 4])
    assert second["WORDS_OF_PAGE"] == pytest.approx([0.9, 0.9, 0.9, 1])
    assert second["INDEX_FRACTION"] == pytest.approx([0, 1 / 3, 2 / 3, 3 / 4])
    assert second["TAG"] == [TAG_IDS["div"]] * 3 + [TAG_IDS["body"]]


def test_blocks_under_one_path_are_likes() -> None:
    blocks = read_blocks("<body><div class=x><p>a<p>b</div><div class=x><p>c</div><div><p>d</div>")
    words = np.array([1, 2, 3, 4], np.float32)
    text_KN = np.zeros((23, 4), np.float32)
    rows = np.empty((10, 4), np.float32)

    PageElements(blocks).write_siblings(rows, words, text_KN)

    assert rows[0] == pytest.approx(np.log1p([3, 3, 3, 1]))  # paragraphs of one class's divs
    assert rows[1] == pytest.approx([2, 2, 2, 4])  # their words per block
    assert rows[4] == pytest.approx([0.6, 0.6, 0.6, 0.4])  # their words of all
    assert rows[5] == pytest.approx(np.log1p([3, 3, 3, 1]))  # the same by the parents' paths
