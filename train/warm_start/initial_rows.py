"""How rows of new tokens begin.

A new token starts from the mean of the rows of its pieces under the base tokenizer, from the mean
of all trained rows, or from a Gaussian with their mean and variance (per column). Rows that were
never trained (spare ones, sentinels) and that of [UNK] stand for no text: they enter no mean. A
token of which nothing is left starts from the Gaussian: all Chinese would otherwise begin as the
one row of [UNK] in T5.

Shapes: V rows before growth, W after it, D columns.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from schemas.vocabulary import NewToken
from train.warm_start.config import NewRows

Rule = Literal["subword_mean", "mean", "gaussian", "gaussian_no_pieces"]


@dataclass(frozen=True, kw_only=True)
class RowStart:
    """How the row of a new token was made.

    Attributes:
        token: The new token.
        rule: The rule that made the row.
        used: Ids of the base rows that entered the mean.
        ignored: Ids of pieces that did not enter it: [UNK], spare rows, sentinels.
    """

    token: NewToken
    rule: Rule
    used: tuple[int, ...]
    ignored: tuple[int, ...]


def plan_rows(
    tokens: Sequence[NewToken], rule: NewRows, *, without_text: Collection[int]
) -> list[RowStart]:
    """Decide how each row is made; `without_text` are the ids of base rows that enter no mean."""
    barred = frozenset(without_text)
    starts = []
    for token in tokens:
        used = tuple(piece for piece in token.base_ids if piece not in barred)
        ignored = tuple(piece for piece in token.base_ids if piece in barred)
        if rule != "subword_mean":
            starts.append(RowStart(token=token, rule=rule, used=(), ignored=()))
        elif used:
            starts.append(RowStart(token=token, rule=rule, used=used, ignored=ignored))
        else:
            starts.append(
                RowStart(token=token, rule="gaussian_no_pieces", used=(), ignored=ignored)
            )
    return starts


def grow_tensor(
    old: Tensor, starts: Sequence[RowStart], *, rows: int, trained: Tensor, seed: int
) -> Tensor:
    """A tensor [V, ...] with `rows` rows, those of new tokens begun, all others bit for bit.

    Args:
        old: The tensor of the base.
        starts: How the new rows are made; the rows may lie inside of `old`, where it had spare ones.
        rows: W. Rows that no token has are drawn from the Gaussian, so that they equal no other.
        trained: Ids of the base rows that stand for text, [N].
        seed: Seed of the draws; row i gets the same draw whatever rule the others follow.
    """
    columns = old.reshape(old.shape[0], -1)
    wide = columns[trained].double()
    mean, deviation = wide.mean(0), wide.std(0)
    generator = torch.Generator().manual_seed(seed)
    first = min([start.token.id for start in starts], default=old.shape[0])
    draws = torch.randn(max(rows - first, 0), columns.shape[1], generator=generator).double()
    grown = columns.new_empty(rows, columns.shape[1])
    grown[: old.shape[0]] = columns
    begun = mean + deviation * draws
    fresh = torch.arange(old.shape[0], rows)
    grown[fresh] = begun[fresh - first].to(grown.dtype)
    for start in starts:
        row_id = start.token.id
        if start.rule == "subword_mean":
            row = columns[list(start.used)].double().mean(0)
        elif start.rule == "mean":
            row = mean
        else:
            row = begun[row_id - first]
        grown[row_id] = row.to(grown.dtype)
    return grown.reshape(rows, *old.shape[1:])
