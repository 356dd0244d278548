"""Which heads of a BERT an objective leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from train.objectives.config import parse_objective
from train.objectives.heads import unread_tensors

NAMES = ["blocks.0.attention.query.weight", "embedding.weight", "pooler.weight", "transform.bias",
         "transform_norm.weight", "head_bias", "pair_head.weight", "class_head.weight"]  # fmt: skip
TOKENS = {"transform.bias", "transform_norm.weight", "head_bias"}


@pytest.mark.parametrize(
    ("objective", "unread"),
    [
        ({"name": "masked"}, {"pooler.weight", "pair_head.weight", "class_head.weight"}),
        ({"name": "masked", "pairs": "next_sentence"}, {"class_head.weight"}),
        ({"name": "unilm"}, {"pooler.weight", "pair_head.weight", "class_head.weight"}),
        ({"name": "classify"}, {*TOKENS, "pair_head.weight"}),
        ({"name": "classify", "at": "tokens"}, {*TOKENS, "pooler.weight", "pair_head.weight"}),
        ({"name": "plugin", "plugin": "mine:Own"}, set()),
    ],
)
def test_heads_that_an_objective_does_not_read(objective: dict[str, Any], unread: set[str]) -> None:
    found = unread_tensors(NAMES, parse_objective(objective), family="bert")

    assert set(found) == unread


def test_other_families_read_all_that_they_have() -> None:
    assert unread_tensors(["head.weight"], parse_objective({"name": "causal"}), family="gpt2") == []
