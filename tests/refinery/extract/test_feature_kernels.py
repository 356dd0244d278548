"""Kernels of features: characters, containers, ancestors, windows and likes, against plain readings."""

import math
import random

import numpy as np
import pytest

from refinery.extract.blocks import Blocks, read_blocks
from refinery.extract.element_rows import ANCESTOR_BITS, find_tops, write_likes, write_own
from refinery.extract.feature_layout import NUM_FEATURES, NUM_LEVELS, SIBLINGS, feature_names
from refinery.extract.features import compute_features
from refinery.extract.page_arrays import arrays_of
from refinery.extract.position_rows import write_windows
from refinery.extract.tag_kinds import TAG_IDS, TAGS
from refinery.extract.text_rows import (
    NUM_COUNTS,
    count_characters,
    fields_of_kinds,
    kinds_of_characters,
)

NAMES = feature_names()


def levels(blocks: Blocks, block: int) -> list[str]:
    """Tags of the distinct containers of a block, the innermost first."""
    tops = np.empty(len(blocks.parents), np.int64)
    find_tops(arrays_of(blocks), tops)
    elements = [tops[blocks.elements[block]]]
    for _ in range(NUM_LEVELS - 1):
        elements.append(tops[blocks.parents[elements[-1]]])
    return [TAGS[blocks.tag_ids[element]] for element in elements]


def column(rows: np.ndarray, name: str) -> list[float]:
    values: list[float] = rows[:, NAMES.index(name)].tolist()
    return values


def counts_of(texts: list[str]) -> np.ndarray:
    counts = np.empty((len(texts), NUM_COUNTS), np.int64)
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([len(text) for text in encoded])
    bounds = np.stack([ends - [len(text) for text in encoded], ends], axis=1)
    text = np.frombuffer(b"".join(encoded), np.uint8)
    count_characters(text, bounds, kinds_of_characters(), fields_of_kinds(), counts)
    return counts


def test_characters_of_every_width_are_counted_by_kind() -> None:
    texts = ["Ab 1,", "木は、\U0001f602。", "é", "x\ny.", "7" * 600 + "|"]

    upper, digits, stops, commas, blanks, wide, symbols, chars, first, last = counts_of(texts).T

    assert upper.tolist() == [1, 0, 0, 0, 0]
    assert digits.tolist() == [1, 0, 0, 0, 600]  # beyond what one field of bits holds
    assert stops.tolist() == [0, 1, 0, 1, 0]
    assert commas.tolist() == [1, 1, 0, 0, 0]
    assert blanks.tolist() == [1, 0, 0, 1, 0]
    assert wide.tolist() == [0, 2, 0, 0, 0]
    assert symbols.tolist() == [0, 0, 0, 0, 1]
    assert chars.tolist() == [5, 5, 1, 4, 601]
    assert first.tolist() == [1, 32, 0, 0, 2]
    assert last.tolist() == [8, 4, 0, 4, 64]


def test_text_that_breaks_off_is_not_read_beyond() -> None:
    for text in (b"", b"\xe6", b"\xf0\x9f", b"a\xc3"):
        counts, bounds = np.empty((1, NUM_COUNTS), np.int64), np.array([[0, len(text)]])

        count_characters(
            np.frombuffer(text, np.uint8), bounds, kinds_of_characters(), fields_of_kinds(), counts
        )

        assert counts[:, :7].sum() == 0


def test_the_outermost_of_containers_with_the_same_blocks_stands_for_all() -> None:
    blocks = read_blocks("<body><section><div><div><p>a</p></div></div></section><p>b")

    assert levels(blocks, 0) == ["section", "body", "body", "body", "body", "body"]


def test_a_chain_of_containers_collapses_however_deep() -> None:
    blocks = read_blocks(
        "<body><main>" + "<div>" * 400 + "<p>a</p>" + "</div>" * 400 + "</main><p>b"
    )

    assert levels(blocks, 0)[:2] == ["main", "body"]


def test_distinct_containers_are_told_from_inside_out() -> None:
    blocks = read_blocks("<body><article><ul><li>a<p>b</p></li><li>c</li></ul><p>d</article><p>e")

    assert levels(blocks, 1) == ["p", "li", "ul", "article", "body", "body"]


def test_ancestors_and_name_words_above_and_near() -> None:
    blocks = read_blocks(
        "<body><aside class='comment-list'><div><div><p>a</p></div></div></aside>"
        "<p id=footer>b<h1>c</h1><p>d"
    )
    rows = np.empty((4, NUM_FEATURES), np.float32)

    write_own(arrays_of(blocks), ANCESTOR_BITS, np.empty(len(blocks.parents), np.int64), rows)

    def own(name: str) -> list[float]:
        return column(rows, f"own.{name}")

    assert own("IS_IN_ASIDE") == [1, 0, 0, 0]
    assert own("IS_IN_P") == [1, 1, 0, 1]
    assert own("COMMENT_ABOVE") == [1, 0, 0, 0]
    assert own("COMMENT_NEAR") == [0, 0, 0, 0]  # three elements up is not near
    assert own("FOOT_ABOVE") == own("FOOT_NEAR") == [0, 1, 0, 0]
    assert own("TAG") == [TAG_IDS[name] for name in ("p", "p", "h1", "p")]
    assert own("PARENT_TAG") == [TAG_IDS[name] for name in ("div", "body", "body", "body")]
    assert own("DEPTH") == [4, 1, 1, 1]
    assert own("IS_HEADING") == [0, 0, 1, 0]
    assert own("IS_BEHIND_H1") == [0, 0, 1, 1]


def test_a_container_gives_its_sums_per_block_and_of_the_page() -> None:
    rows = compute_features(read_blocks("<body><div><p>a b<p>c d e<p>f</div><p>g")).rows

    assert column(rows, "level_1.WORDS_PER_BLOCK") == pytest.approx([2, 2, 2, 7 / 4])
    assert column(rows, "level_1.WORDS_OF_PAGE") == pytest.approx([6 / 7, 6 / 7, 6 / 7, 1])
    assert column(rows, "level_1.INDEX_FRACTION") == pytest.approx([0, 1 / 3, 2 / 3, 3 / 4])
    assert column(rows, "level_1.LOG_WORDS") == pytest.approx(np.log1p([6, 6, 6, 7]))
    assert column(rows, "level_1.TAG") == [TAG_IDS["div"]] * 3 + [TAG_IDS["body"]]


def test_blocks_under_one_path_are_likes() -> None:
    blocks = read_blocks("<body><div class=x><p>a<p>b</div><div class=x><p>c</div><div><p>d</div>")
    words = np.array([1, 2, 3, 4], np.float32)
    rows = np.zeros((4, NUM_FEATURES), np.float32)

    for group in (0, 1):
        write_likes(arrays_of(blocks), words, np.zeros((len(blocks.paths), 4)), group, rows)

    likes = rows[:, SIBLINGS:].T
    assert likes[0] == pytest.approx(np.log1p([3, 3, 3, 1]))  # paragraphs of one class's divs
    assert likes[1] == pytest.approx([2, 2, 2, 4])  # their words per block
    assert likes[4] == pytest.approx([0.6, 0.6, 0.6, 0.4])  # their words of all
    assert likes[5] == pytest.approx(np.log1p([3, 3, 3, 1]))  # the same by the parents' paths


def test_windows_are_averages_over_the_blocks_in_reach() -> None:
    counts = np.array([random.Random(7).sample(range(100), 12) for _ in range(14)], float)
    sums = np.concatenate([np.zeros((1, 12)), np.cumsum(counts, axis=0)])
    rows = np.empty((14, NUM_FEATURES), np.float32)

    write_windows(sums, rows)

    for n in range(14):
        for reach in (3, 10):
            before = counts[max(n - reach, 0) : n].sum(axis=0) / reach
            behind = counts[n + 1 : n + 1 + reach].sum(axis=0) / reach
            first = NAMES.index(f"window_{reach}_before.WORDS")
            assert rows[n, first : first + 24] == pytest.approx(np.concatenate([before, behind]))


def test_logarithms_are_those_of_single_precision() -> None:
    rows = compute_features(read_blocks(f"<body><p>{'ab ' * 20_000}x")).rows

    assert rows[0, NAMES.index("text.LOG_CHARS")] == np.log1p(np.float32(60_001))
    assert rows[0, NAMES.index("level_0.LOG_WORDS")] == np.float32(math.log1p(20_001))
