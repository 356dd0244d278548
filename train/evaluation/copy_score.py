"""Does a decoder copy? The loss of a random string where it stands for the second time, against the first.

Random tokens cannot be foretold, but their repetition can: what falls from the first half to the second is read from the
context alone, which no frequency gives (the loss of repeated strings in Olsson et al. 2022, "In-context learning and induction
heads").

Shapes: B rows, T tokens of a string, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from train.model.transformer import Transformer
from train.statistics.intervals import Estimate, mean_interval

ROWS, MOST_TOKENS = 32, 64


@dataclass(frozen=True, kw_only=True)
class CopyScore:
    """Nats per token over rows.

    Attributes:
        tokens: Length of the string.
        first: Its loss where it stands first.
        second: Its loss where it stands again.
        saved: The first minus the second, row by row.
    """

    tokens: int
    first: Estimate
    second: Estimate
    saved: Estimate

    def as_dict(self) -> dict[str, Any]:
        """Figures with their intervals, as JSON holds them."""
        return {
            "rows": ROWS,
            "tokens": self.tokens,
            **{
                name: {"value": one.value, "low": one.low, "high": one.high}
                for name, one in (("first", self.first), ("second", self.second), ("saved", self.saved))
            },
        }  # fmt: skip


@torch.no_grad()
def copy_score(
    model: Transformer, ids: Sequence[int], *, mark: int, max_tokens: int
) -> CopyScore | None:
    """Score 32 strings, the same ones for the same ids; None where the model reads less than four tokens.

    Args:
        model: A decoder.
        ids: The ids that are drawn from, each as likely: those of no special token.
        mark: Id that stands before each row.
        max_tokens: Tokens that the model reads.
    """
    size = min(MOST_TOKENS, (max_tokens - 1) // 2)
    if size < 2:
        return None
    drawn = np.random.default_rng(0).choice(np.asarray(ids, np.int64), (ROWS, size))
    string_BT = torch.from_numpy(drawn)
    device = next(iter(model.parameters())).device
    marks = torch.full((ROWS, 1), mark)
    row_BU = torch.cat((marks, string_BT, string_BT), dim=1).to(device)
    was_training = model.training
    model.eval()
    try:
        losses_BU = _losses(model, row_BU)
    finally:
        model.train(was_training)
    first, second = losses_BU[:, :size].mean(1), losses_BU[:, size:].mean(1)
    return CopyScore(
        tokens=size,
        first=mean_interval(first.numpy()),
        second=mean_interval(second.numpy()),
        saved=mean_interval((first - second).numpy()),
    )


def _losses(model: Transformer, row_BU: Tensor) -> Tensor:
    """Loss of each token but the first of each row, in nats; one row at a time, for logits are large."""
    width = row_BU.shape[1] - 1
    positions = torch.arange(width, device=row_BU.device)[None]
    mask = torch.ones(width, width, dtype=torch.bool, device=row_BU.device).tril()[None, None]
    losses = []
    for row in row_BU:
        states = model.states(row[None, :-1], positions, mask, model.empty_caches())
        losses.append(F.cross_entropy(model.head_logits(states[0]).float(), row[1:], reduction="none"))  # fmt: skip
    return torch.stack(losses).double().cpu()
