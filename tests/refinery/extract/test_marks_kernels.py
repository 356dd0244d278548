"""Marks and landmarks: kernels against what a person reads, a plain reference, and hostile bytes."""

import random

import numpy as np
import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.feature_layout import feature_names
from refinery.extract.features import compute_features
from refinery.extract.mark_rows import FAR
from refinery.extract.marks import MOST_BYTES, MOST_SKIPPED, Mark, find_marks, trie_of_phrases

NAMES = feature_names()


def marks_of(texts: list[bytes]) -> list[int]:
    ends = np.cumsum([len(text) for text in texts])
    bounds = np.stack([ends - [len(text) for text in texts], ends], axis=1).astype(np.int64)
    marks = np.empty(len(texts), np.int64)
    find_marks(np.frombuffer(b"".join(texts), np.uint8), bounds, trie_of_phrases(), marks)
    found: list[int] = marks.tolist()
    return found


def column(html: str, name: str) -> list[float]:
    values: list[float] = compute_features(read_blocks(html)).rows[:, NAMES.index(name)].tolist()
    return values


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("Comments", Mark.COMMENTS), ("12 COMMENTS", Mark.COMMENTS), ("Leave a Reply", Mark.COMMENTS),
        ("网友评论", Mark.COMMENTS), ("Комментарии", Mark.COMMENTS), ("Related articles", Mark.NEXT),
        ("相关阅读", Mark.NEXT), ("Über den Autor", Mark.AUTHOR), ("责任编辑：王", Mark.AUTHOR),
        ("© 2024 Oaks Ltd", Mark.RIGHTS), ("版权声明", Mark.RIGHTS), ("Share this:", Mark.FOLLOW),
        ("« Previous", Mark.TURN), ("上一篇：树", Mark.TURN), ("Tags: oak", Mark.SOURCE),
        ("Oaks grow slowly", 0), ("Unrelated", 0), ("", 0), ("  ", 0),
        ("one two three four comments", 0), ("Comments " + "on oaks " * 20, 0),
    ],
)  # fmt: skip
def test_what_opens_the_surroundings_of_an_article_is_a_mark(text: str, mark: int) -> None:
    assert marks_of([text.encode()]) == [mark]


def test_marks_are_those_of_a_plain_search() -> None:
    trie = trie_of_phrases()
    phrases: dict[bytes, int] = {}

    def collect(node: int, prefix: bytes) -> None:
        if trie.marks[node]:
            phrases[prefix] = int(trie.marks[node])
        child = int(trie.children[node])
        while child:
            collect(child, prefix + bytes([int(trie.letters[child])]))
            child = int(trie.siblings[child])

    def plain(text: str) -> int:
        skipped, inside = 0, False
        for at, char in enumerate(text):
            size = len(char.encode())
            is_letter = size > 1 or (char.isascii() and char.isalpha())
            if size > 2 or not inside:
                rest = text[at:].encode().lower()  # of bytes: ASCII alone
                for length in range(1, len(rest) + 1):
                    if rest[:length] in phrases:
                        return phrases[rest[:length]]
                skipped += is_letter
                if skipped > MOST_SKIPPED:
                    return 0
            inside = is_letter and size <= 2
        return 0

    collect(0, b"")
    pieces = [
        "Comment",
        "share",
        "x",
        " ",
        "12 ",
        "ü",
        "Über den autor",
        "相",
        "相关",
        "木",
        "©",
        "’",
        "Re",
        "lated",
        "\U0001f602",
    ]
    generator = random.Random(3)
    texts = ["".join(generator.choices(pieces, k=generator.randint(0, 6))) for _ in range(600)]
    texts = [text for text in texts if len(text.encode()) <= MOST_BYTES]

    assert marks_of([text.encode() for text in texts]) == [plain(text) for text in texts]


def test_bytes_that_break_off_are_no_mark_and_not_read_beyond() -> None:
    assert marks_of([b"\xe8", b"\xe8\xaf", b"\x84", b"Commen", b"\xff\xfe"]) == [0, 0, 0, 0, 0]
    generator = random.Random(5)
    marks_of([generator.randbytes(generator.randint(0, 40)) for _ in range(300)])


def test_distances_are_counted_from_the_last_mark_of_a_kind() -> None:
    html = "<body><p>Comments<p>Oak!<p>Related<p>Oaks<p>Elms"

    assert column(html, "landmark.SINCE_COMMENTS") == [0, 1, 2, 3, 4]
    assert column(html, "landmark.SINCE_NEXT") == [FAR, FAR, 0, 1, 2]
    assert column(html, "landmark.UNTIL_MARK") == [2, 1, FAR, FAR, FAR]


def test_containers_tell_the_mark_with_which_they_begin() -> None:
    html = "<body><p>Oaks<div><h3>Related</h3><ul><li>Elms<li>Limes</ul></div>"

    assert column(html, "level_0.FIRST_MARK") == [0, Mark.NEXT, 0, 0]
    assert column(html, "level_2.FIRST_MARK") == [0, 0, Mark.NEXT, Mark.NEXT]


def test_a_block_knows_how_far_it_is_from_the_title() -> None:
    html = (
        "<title>Oaks of England | Trees</title><body><p>Home<article><h1>Oaks of England</h1>"
        "<p>Oaks grow.</p></article><aside><ul><li>Elms<li>Limes</ul></aside>"
    )

    assert column(html, "landmark.SINCE_TITLE") == [-1, 0, 1, 2, 3]
    assert column(html, "landmark.WORDS_SINCE_TITLE") == pytest.approx(
        [-np.log1p(1), 0, np.log1p(3), np.log1p(5), np.log1p(6)]
    )
    assert column(html, "landmark.LEVELS_TO_TITLE") == [1, 0, 1, 2, 2]
    assert column(html, "landmark.SHARE_WITH_TITLE") == pytest.approx([1, 3 / 8, 5 / 8, 1, 1])


def test_a_page_without_title_says_so() -> None:
    assert column("<body><p>Oaks", "landmark.SINCE_TITLE") == [-FAR]
    assert column("<body><p>Oaks", "landmark.LEVELS_TO_TITLE") == [-1]


def test_a_block_knows_how_far_it_is_from_what_the_page_says_of_itself() -> None:
    said = "Oaks grow slowly and live for many hundred years in England."
    html = f'<head><meta name="description" content="{said}"></head><body><p>Trees<p>{said}<p>Elms'

    assert column(html, "landmark.SINCE_FIRST_SAID") == [-1, 0, 1]
    assert column(html, "landmark.PAGE_LOG_SAID") == pytest.approx([np.log1p(len(said))] * 3)
    assert column(html, "landmark.SAID_FRACTION") == pytest.approx([11 / 13] * 3)
