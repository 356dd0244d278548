"""The loss of random strings where they stand again."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from train.evaluation.copy_score import ROWS, copy_score
from train.model.presets import resolve_model
from train.model.transformer import Transformer, build_model

IDS, MARK = list(range(4, 36)), 1


class Copies(nn.Module):
    """Foretells that what followed an earlier token of the same id follows again; else all ids alike."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def empty_caches(self) -> list[Any]:
        return []

    def states(self, ids: Tensor, positions: Tensor, mask: Tensor, cache: list[Any]) -> Tensor:
        (row,) = ids.tolist()
        logits = torch.zeros(1, len(row), 40)
        logits[..., :4] = logits[..., 36:] = -math.inf
        for place, token in enumerate(row):
            followers = [row[at + 1] for at in range(place) if row[at] == token]
            for follower in followers:
                logits[0, place, follower] = 20.0
        return logits

    def head_logits(self, hidden: Tensor) -> Tensor:
        return hidden


def test_whoever_copies_saves_what_a_random_token_costs() -> None:
    found = copy_score(Copies(), IDS, mark=MARK, max_tokens=17)  # type: ignore[arg-type]

    assert found is not None
    assert found.tokens == 8
    # Where the string begins again nothing is foretold, nor where it holds a token twice.
    assert found.second.value < 2.0 < found.first.value
    assert found.saved.value == pytest.approx(found.first.value - found.second.value)
    assert found.saved.low > 0
    assert found.saved.items == ROWS


def test_new_weights_save_nothing_and_are_measured_alike_twice() -> None:
    config = resolve_model({"preset": "gpt2-test"}, vocab_size=40, seq_len=32)
    model = build_model(config, seed=3)
    assert isinstance(model, Transformer)

    one, two = (copy_score(model, IDS, mark=MARK, max_tokens=32) for _ in range(2))

    assert one == two
    assert one is not None
    assert one.first.value == pytest.approx(math.log(40), abs=0.1)
    assert abs(one.saved.value) < 0.1
    assert copy_score(model, IDS, mark=MARK, max_tokens=4) is None
