"""The default engine: keep the blocks that a small trained model takes for content.

Weights are trained by benchmarks/train_blocks.py; their provenance lies beside them.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import io

import numpy as np

from refinery.extract.blocks import TAG_IDS, Blocks, read_blocks
from refinery.extract.features import compute_features
from refinery.extract.trees import Forest, choose_cut

_ITEM = TAG_IDS["li"]
_CELLS = (TAG_IDS["td"], TAG_IDS["th"])


@functools.cache
def _weights() -> bytes:
    return importlib.resources.files("refinery.extract.weights").joinpath("blocks.npz").read_bytes()


@functools.cache
def load_forest() -> Forest:
    """The trained trees, read once per process."""
    with np.load(io.BytesIO(_weights()), allow_pickle=False) as arrays:
        return Forest.of(dict(arrays))


def weights_sha256() -> str:
    """What the fingerprint of a stage that extracts must hold."""
    return hashlib.sha256(_weights()).hexdigest()


def extract_main_text(html: str) -> tuple[str, str | None]:
    """Main text and title of a page; empty where no block is left."""
    blocks = read_blocks(html)
    if not blocks.texts:
        return "", blocks.title
    features, words = compute_features(blocks)
    kept = choose_cut(load_forest().predict(features), words)
    return join_blocks(blocks, np.flatnonzero(kept).tolist()), blocks.title


def join_blocks(blocks: Blocks, kept: list[int]) -> str:
    """Kept blocks as plain text: items with a dash, cells of one row on one line."""
    pieces: list[str] = []
    last_row = last_tag = -1
    for place in kept:
        element = blocks.elements[place]
        tag, text = blocks.tags[element], blocks.texts[place]
        row = blocks.parents[element] if tag in _CELLS else -1
        if row >= 0 and row == last_row:
            pieces.append(" | ")
        elif pieces:
            together = (tag == _ITEM and last_tag == _ITEM) or (row >= 0 and last_row >= 0)
            pieces.append("\n" if together else "\n\n")
        pieces.append(f"- {text}" if tag == _ITEM else text)
        last_row, last_tag = row, tag
    return "".join(pieces)
