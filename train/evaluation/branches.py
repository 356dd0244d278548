"""Candidates that begin alike as one row: what they share is read once, and none sees another.

A decoder reads the shared beginning, then what is left of each candidate, one behind the other. The mask lets a token see the
beginning and earlier tokens of its own candidate, and positions go on from the beginning in each.

Shapes: B rows, T tokens, P tokens of a prefix before the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from train.evaluation.rows import ScoredRow, shared_length

# The mask costs attention its fastest path: joining must save at least so much.
_MOST_OF_APART = 0.9
_PADDING = -1

Joined = tuple[ScoredRow, list[ScoredRow]]


def joined(rows: Sequence[ScoredRow], padded: Callable[[int], int]) -> Joined | None:
    """One row for all candidates of an item, and each candidate's part of it; None where it saves nothing.

    Args:
        rows: A row for each candidate, read from left to right.
        padded: The length that a row of some length is padded to.
    """
    distinct = list(dict.fromkeys(row.read for row in rows))
    together = {(row.written, row.visible, row.behind_prefix) for row in rows}
    if len(distinct) < 2 or together not in ({(None, 0, False)}, {(None, 0, True)}):
        return None
    shared = shared_length(distinct)
    starts: dict[tuple[int, ...], int] = {}
    read, branches = list(distinct[0][:shared]), [0] * shared
    for number, ids in enumerate(distinct, start=1):
        starts[ids] = len(read)
        read += ids[shared:]
        branches += [number] * (len(ids) - shared)
    apart = sum(padded(len(ids)) for ids in distinct)
    if padded(len(read)) > _MOST_OF_APART * apart:
        return None
    parts = [
        replace(
            row,
            at=tuple(at if at < shared else starts[row.read] + at - shared for at in row.at),
        )
        for row in rows
    ]
    whole = replace(rows[0], read=tuple(read), at=(), wanted=(), branches=tuple(branches))
    return whole, parts


def joined_positions(branches: Sequence[tuple[int, ...]], width: int) -> Tensor:
    """[B, T]: the position of each token in its own text, behind nothing else."""
    rows = []
    for row in branches:
        shared = row.count(0)
        counts: dict[int, int] = {}
        positions = list(range(shared))
        for branch in row[shared:]:
            counts[branch] = counts.get(branch, -1) + 1
            positions.append(shared + counts[branch])
        rows.append(positions + [0] * (width - len(row)))
    return torch.tensor(rows)


def branch_mask(branches: Sequence[tuple[int, ...]], width: int, *, before: int) -> Tensor:
    """[B, 1, T, P + T], true where a token may attend; `before` is P."""
    filled = [[*row, *[_PADDING] * (width - len(row))] for row in branches]
    branch_BT = torch.tensor(filled)
    same = branch_BT[:, :, None] == branch_BT[:, None, :]
    own = (same | (branch_BT == 0)[:, None, :]) & torch.ones(width, width, dtype=torch.bool).tril()
    seen = torch.ones(len(filled), width, before, dtype=torch.bool)
    return torch.cat((seen, own), dim=2)[:, None]
