"""The default engine: keep the blocks that a small trained model takes for content.

tools/train_blocks.py trains the weights; blocks.json beside them says from what and how.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.extract.blocks import Blocks, read_blocks
from refinery.extract.config import Formulas, Style, Tables
from refinery.extract.cut import choose_cut
from refinery.extract.features import compute_features
from refinery.extract.forest import Forest
from refinery.extract.grids import Grids
from refinery.extract.metadata import linked_text
from refinery.extract.page_data import held_text
from refinery.extract.structure import render
from refinery.extract.units import settle
from refinery.extract.walls import Wall, find_wall

# Where the kept blocks give less text, that of the page's JSON-LD is taken, if it is much longer.
SHORT_CHARS = 1_000
LINKED_FACTOR = 2
# A page that gives less may be a wall; what its scripts hold is taken if it is much longer.
NO_TEXT_CHARS, HELD_FACTOR = 400, 3


@functools.cache
def _weights() -> bytes:
    return importlib.resources.files("refinery.extract.weights").joinpath("blocks.npz").read_bytes()


@functools.cache
def load_forests() -> tuple[Forest, Forest]:
    """The trees that judge blocks and those that judge cuts, read once per process."""
    with np.load(io.BytesIO(_weights()), allow_pickle=False) as file:
        arrays = dict(file)
    return Forest.of(arrays, "blocks"), Forest.of(arrays, "cuts")


def weights_sha256() -> str:
    """Digest of the weights, which belongs into the fingerprint of every stage that extracts."""
    return hashlib.sha256(_weights()).hexdigest()


@dataclass(frozen=True)
class MainText:
    """Main text and title of a page.

    Attributes:
        is_linked: Whether the text came from JSON-LD.
        is_held: Whether it came from what the page holds for its scripts.
        wall: Why the page gives no text; None where it gives some.
    """

    text: str
    title: str | None
    is_linked: bool = False
    is_held: bool = False
    wall: Wall | None = None


def extract_main_text(
    html: str,
    style: Style,
    *,
    image_text: bool = False,
    formulas: Formulas = "tex",
    tables: Tables | None = None,
) -> MainText:
    """Keep the blocks that are likely content.

    A page that shows next to nothing may hold its text as JSON-LD for search engines, or in the state of
    its scripts: that is taken instead. Of one that holds none either it is told why.
    """
    blocks = read_blocks(html, image_text=image_text, formulas=formulas)
    text = ""
    if blocks.texts:
        grids = Grids(blocks)
        kept = judge_blocks(blocks, grids=grids).kept
        shown = np.flatnonzero(kept).tolist()
        text = render(blocks, shown, style, tables=tables, grids=grids)
    if len(text) < SHORT_CHARS:
        linked = linked_text(html)
        if len(linked) > LINKED_FACTOR * len(text):
            return MainText(linked, blocks.title, is_linked=True)
    if len(text) >= NO_TEXT_CHARS:
        return MainText(text, blocks.title)
    held = held_text(html, all_text)
    if len(held) > HELD_FACTOR * len(text):
        return MainText(held, blocks.title, is_held=True)
    return MainText(text, blocks.title, wall=find_wall(html, blocks.texts, text))


@dataclass(frozen=True)
class Judgement:
    """What the models and the units say about the blocks of a page.

    Attributes:
        probabilities: [N] of being content, as the trees foretell.
        cut: [N] whether the cut keeps a block.
        kept: [N] the same once units are kept whole; hidden parts, repeats and what stands behind the article left out.
    """

    probabilities: NDArray[np.float32]
    cut: NDArray[np.bool_]
    kept: NDArray[np.bool_]


def judge_blocks(blocks: Blocks, *, grids: Grids | None = None) -> Judgement:
    """Judge the blocks of a page that has some; its tables are read here where they are not given."""
    page = compute_features(blocks)
    forest, judge = load_forests()
    probabilities = forest.predict(page.rows)
    cut = choose_cut(probabilities, page.words, page.facts, judge)
    return Judgement(probabilities, cut, settle(blocks, cut, page.words, grids=grids))


def all_text(html: str) -> str:
    """All blocks of a piece of markup, one paragraph each."""
    return "\n\n".join(read_blocks(html).texts)
