"""Random numbers keyed by (seed, sample index): no rank, batch or order enters them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def uniform(seed: int, sample_index: NDArray[np.int64], *shape: int) -> NDArray[np.float64]:
    """[B, *shape] in [0, 1); row b depends on the seed and on `sample_index[b]` alone."""
    rows = [
        np.random.Generator(np.random.Philox(key=[seed, int(index)])).random(shape)
        for index in sample_index
    ]
    return np.stack(rows) if rows else np.zeros((0, *shape))
