"""The blocks and elements of a page as kernels read them.

Shapes: N blocks, E elements.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import read_only
from refinery.extract.blocks import Blocks

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Sums = NDArray[np.float64]


class PageArrays(NamedTuple):
    """Fields of `Blocks`: those of blocks [N], then those of elements [E]."""

    elements: Ints
    link_chars: Ints
    num_links: Ints
    bold_chars: Ints
    num_breaks: Ints
    num_images: Ints
    num_controls: Ints
    tag_ids: Ints
    parents: Ints
    depths: Ints
    name_bits: Ints
    paths: Ints
    starts: Ints
    ends: Ints
    hidden_bits: Ints


def arrays_of(blocks: Blocks) -> PageArrays:
    """The arrays of a page, read-only."""
    return PageArrays(*(read_only(getattr(blocks, name)) for name in PageArrays._fields))
