"""What a fine-tuned model answers to each row of a dataset, and what it should have.

A bert's head gives a class at [CLS]. Other families are asked which of the training set's targets is the
likeliest behind the input, so that every answer is one that can be right.

Shapes: B rows, T tokens, C classes or targets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from schemas.errors import ContractError
from train.data.loader import SplitReader
from train.data.packed import PackedRows
from train.generation.open_model import OpenWeights
from train.model.encoder import Encoder
from train.objectives.build import build_for_manifest
from train.objectives.config import ObjectiveConfig

Int64s = NDArray[np.int64]
_ROWS_AT_ONCE = 32
# More different targets are texts to be written, not classes.
MOST_TARGETS = 64


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Of each row, in the dataset's order: the right answer and the model's, by number."""

    right: Int64s
    given: Int64s

    @property
    def correct(self) -> list[bool]:
        return [bool(one) for one in self.right == self.given]


@dataclass(frozen=True, kw_only=True)
class Targets:
    """The different targets of a training set, with their end marks, the most frequent first."""

    texts: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]

    def number(self, target: tuple[int, ...]) -> int:
        """The number of a target; -1 for one that training never showed."""
        return self.texts.index(target) if target in self.texts else -1


def read_targets(data: SplitReader) -> Targets:
    """The targets of all rows.

    Raises:
        ContractError: There are too many to be classes.
    """
    counts: dict[tuple[int, ...], int] = {}
    for target in row_targets(data):
        counts[target] = counts.get(target, 0) + 1
    if len(counts) > MOST_TARGETS:
        raise ContractError(
            f"{data.manifest.name}: {len(counts):,} different targets, expected {MOST_TARGETS} at most; score "
            "written texts by `train evaluate`"
        )
    ordered = sorted(counts, key=lambda target: (-counts[target], target))
    return Targets(texts=tuple(ordered), counts=tuple(counts[target] for target in ordered))


def answer_all(
    weights: OpenWeights, objective: ObjectiveConfig, data: SplitReader, targets: Targets
) -> Answers:
    """Ask the model for every row of a split.

    Args:
        weights: The fine-tuned model.
        objective: What it was tuned with.
        data: The rows.
        targets: The targets of its training set.
    """
    shape, model = weights.source.config, weights.model
    built = build_for_manifest(
        objective,
        data.manifest,
        family=shape.family,
        vocab_size=shape.vocab_size,
        max_positions=shape.max_positions if shape.positions == "learned" else None,
    )
    model.eval()
    right, given = [], []
    with torch.no_grad():
        for rows in _parts(data):
            right += [targets.number(target) for target in _targets(rows)]
            if objective.name == "classify":
                labels = rows.extra["class_label"].astype(np.int64).tolist()
                right[-len(labels) :] = labels
                assert isinstance(model, Encoder)
                given += model.class_logits(built.build(rows, seed=0)).argmax(-1).tolist()
            else:
                given += _likeliest(model, built, rows, targets)
    return Answers(right=np.array(right, np.int64), given=np.array(given, np.int64))


def _likeliest(model: Any, built: Any, rows: PackedRows, targets: Targets) -> list[int]:
    """The target with the smallest loss behind each input; of equal ones the most frequent."""
    losses_CB = []
    for target in targets.texts:
        batch = built.build(with_target(rows, target), seed=0)
        losses_CB.append(model(batch).loss_by_segment.double().cpu())
    numbers: list[int] = torch.stack(losses_CB).argmin(0).tolist()
    return numbers


def with_target(rows: PackedRows, target: tuple[int, ...]) -> PackedRows:
    """The same inputs with another target behind them; rows become longer where it does not fit."""
    starts_B = rows.extra["target_start"].astype(np.int64)
    width = max(rows.input_ids.shape[1], int(starts_B.max()) + len(target))
    ids = np.zeros((len(starts_B), width), rows.input_ids.dtype)
    ids[:, : rows.input_ids.shape[1]] = rows.input_ids
    for row, start in enumerate(starts_B.tolist()):
        ids[row, start:] = 0
        ids[row, start : start + len(target)] = target
    return replace(
        rows,
        input_ids=ids,
        segment_length=(starts_B + len(target)).astype(rows.segment_length.dtype),
    )


def _targets(rows: PackedRows) -> Iterator[tuple[int, ...]]:
    """The ids of each row's target, its end mark included."""
    starts = rows.extra["target_start"].tolist()
    for row, start, length in zip(
        rows.input_ids, starts, rows.segment_length.tolist(), strict=True
    ):
        yield tuple(row[start:length].tolist())


def row_targets(data: SplitReader) -> list[tuple[int, ...]]:
    """The target of each row, in the order of the rows."""
    return [target for rows in _parts(data) for target in _targets(rows)]


def _parts(data: SplitReader) -> Iterator[PackedRows]:
    for start in range(0, data.num_rows, _ROWS_AT_ONCE):
        yield data.read(np.arange(start, min(start + _ROWS_AT_ONCE, data.num_rows)))
