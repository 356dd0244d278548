"""Which blocks are drawn for training."""

import numpy as np
import pytest

from tools.train_blocks import bare_pages, draw_chances


def test_heavy_blocks_are_always_drawn_and_light_ones_in_proportion() -> None:
    chances = draw_chances(np.array([100.0, 2.0, 1.0, 1.0, 0.0]), 2)

    assert chances == pytest.approx([1, 0.5, 0.25, 0.25, 0])


def test_as_many_are_drawn_as_asked_in_the_mean() -> None:
    weights = np.random.default_rng(0).lognormal(sigma=2, size=5000)

    assert draw_chances(weights, 700).sum() == pytest.approx(700)


def test_pages_of_content_alone_are_wholly_wanted() -> None:
    lines = [f"She said that {number} & more <b> boats came back." for number in range(40)]
    pages = [
        {"set": name, "url": f"https://a{number}.org/", "type": "article", "truth": "\n".join([*lines, str(number)])}
        for number in range(40)
        for name in ("wcxb-dev", "multilingual-segments")
    ]  # fmt: skip
    pages.append({"set": "wcxb-dev", "url": "https://b.org/", "type": "article", "truth": None})

    made = bare_pages(pages)

    assert 2 <= len(made) <= 20  # a quarter of those whose truth is whole
    assert len(made) < len({page["url"] for page in pages})
    for page in made:
        assert page["texts"] == page["truth"].splitlines()
        assert page["y"].tolist() == [1.0] * len(page["texts"])
        assert page["set"] == "bare"
