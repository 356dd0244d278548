"""What a person reads of each construct of a page: constructs.txt holds the inputs and the texts."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.config import Style
from refinery.extract.structure import render
from refinery.extract.units import settle


def constructs() -> Iterator[tuple[str, str, str, str]]:
    """Name, markup, text and, where the construct says it, markdown."""
    page = Path(__file__).with_name("constructs.txt").read_text(encoding="utf-8")
    for part in page.split("\n=== ")[1:]:
        name, _, rest = part.partition("\n")
        html, _, texts = rest.partition("\n--- text\n")
        text, _, markdown = texts.partition("\n--- markdown\n")
        yield name, html, text.rstrip("\n"), markdown.rstrip("\n")


CONSTRUCTS = {name: (html, text, markdown) for name, html, text, markdown in constructs()}


def written(html: str, style: Style) -> str:
    """A page of which the cut keeps all blocks."""
    blocks = read_blocks(f"<body>{html}")
    words = np.array([len(text.split()) for text in blocks.texts], np.float32)
    kept = settle(blocks, np.ones(len(blocks.texts), np.bool_), words)
    return render(blocks, np.flatnonzero(kept).tolist(), style)


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_a_reader_reads_what_the_page_shows(name: str) -> None:
    html, text, markdown = CONSTRUCTS[name]

    assert written(html, "plain") == text
    if markdown:
        assert written(html, "markdown") == markdown


def test_the_table_is_read_whole() -> None:
    assert len(CONSTRUCTS) >= 131
    assert all(html and text for html, text, _ in CONSTRUCTS.values())
