"""Adam's second decay by how long it remembers, in tokens instead of steps.

With small batches a fixed decay forgets within few tokens. Marek et al. 2025 (arXiv 2507.07101) keep the half-life in
tokens: a batch B times smaller takes the B-th root of the decay, and trains as stably as a large one.
"""

from __future__ import annotations

import math


def half_life_beta2(half_life_tokens: float, step_tokens: float) -> float:
    """The decay that halves the weight of a gradient after so many tokens.

    Args:
        half_life_tokens: Packed tokens.
        step_tokens: Packed tokens of a step.
    """
    if not (half_life_tokens > 0 and step_tokens > 0):
        raise ValueError(f"need tokens above 0, got {half_life_tokens} and {step_tokens}")
    return float(0.5 ** (step_tokens / half_life_tokens))


def beta2_half_life(beta2: float, step_tokens: float) -> float:
    """After how many tokens a gradient weighs half; the inverse of `half_life_beta2`."""
    if not 0 < beta2 < 1:
        raise ValueError(f"need 0 < beta2 < 1, got {beta2}")
    return step_tokens * math.log(0.5) / math.log(beta2)
