"""Hashes as Python's integers compute them: what kernels are compared with."""

from __future__ import annotations

from collections.abc import Sequence

GOLDEN, WRAP = 0x9E3779B97F4A7C15, 2**64


def plain_mix(value: int) -> int:
    """splitmix64's finaliser, as published."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % WRAP
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % WRAP
    return value ^ (value >> 31)


def plain_hash(codes: Sequence[int]) -> int:
    """The hash of a token by its folded characters."""
    product = 0
    for code in codes:
        product = (product ^ code) * GOLDEN % WRAP
    return plain_mix(product)
