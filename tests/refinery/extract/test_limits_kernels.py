"""The bound on nesting that is computed for all tags at once."""

import random

import numpy as np
import pytest

from refinery.extract.limits import depth_at_most


def bound(page: bytes) -> int:
    data = np.frombuffer(page, np.uint8)
    adds, closes = np.ones(1 << 16, np.int64), np.ones(1 << 16, np.int64)
    adds[ord("b") << 8 | ord("r")] = 0
    closes[ord("p") << 8 | ord(">") | 32] = 0
    return depth_at_most(data, np.flatnonzero(data == ord("<")), adds, closes)


@pytest.mark.parametrize(
    ("page", "depth"),
    [
        (b"", 0),
        (b"text", 0),
        (b"<", 1),
        (b"<div><div></div><div>", 2),
        (b"<br><br><BR>", 0),
        (b"<p>a</p><p>b</p><p>", 3),  # </p> may close nothing
        (b"</i></i></i><i>", 1),
        (b"<i></i <i>", 2),  # no closing tag: another one begins before it ends
        (b"<i></i", 1),
    ],
)
def test_the_bound_counts_each_doubt_as_depth(page: bytes, depth: int) -> None:
    assert bound(page) == depth


def test_the_bound_is_never_above_the_number_of_opening_tags() -> None:
    generator = random.Random(3)
    for _ in range(200):
        page = bytes(generator.choices(b"<</>>ibrp a", k=generator.randrange(30)))

        assert 0 <= bound(page) <= page.count(b"<") - page.count(b"</")
