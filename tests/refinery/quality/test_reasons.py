"""Reasons of scores are told apart by their prefixes."""

from refinery.quality.reasons import (
    HEAD,
    LOW_SCORE,
    PARETO,
    TOP,
    head_not_best,
    head_reason,
    head_sampled,
)


def test_a_reason_names_its_head_behind_its_own_prefix() -> None:
    reasons = head_reason("harm"), head_sampled("harm"), head_not_best("harm"), LOW_SCORE

    assert reasons == ("head:harm", "pareto:harm", "top:harm", "quality:score")
    assert not LOW_SCORE.startswith((HEAD, PARETO, TOP))
