"""Names of the reasons that scores give; whatif knows by them what to compute anew."""

from __future__ import annotations

LOW_SCORE = "quality:score"
# Prefixes, behind which the name of a head stands.
HEAD, PARETO, TOP = "head:", "pareto:", "top:"


def head_reason(head: str) -> str:
    """The reason given to a document outside of a head's bounds."""
    return HEAD + head


def head_sampled(head: str) -> str:
    """The reason of a document that sampling by a head's score leaves out."""
    return PARETO + head


def head_not_best(head: str) -> str:
    """The reason of a document that is not among the best by a head's score."""
    return TOP + head
