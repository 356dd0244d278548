"""Training or held out: a pure function of (seed, doc_id)."""

from __future__ import annotations

from pyspark.sql import Column

from refinery.sources.selection import HASH_BITS, hash_share
from refinery.vocabulary.config import SplitConfig


def is_heldout(config: SplitConfig, seed: int) -> Column:
    """Whether a document is held out; adding documents never moves another one."""
    return hash_share(seed + 1, "doc_id") < int(config.heldout_fraction * 2**HASH_BITS)
