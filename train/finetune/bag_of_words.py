"""A bag of words on the same labels: what needs no model that was pretrained, nor any order of words.

Logistic regression on which tokens a text holds, its penalty chosen on dev.

Shapes: N texts, V tokens, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from train.data.loader import SplitReader
from train.finetune.predictions import Answers, Targets, row_targets

PENALTIES = (1e-4, 1e-3, 1e-2)
_STEPS = 60


def bag_of_words(
    train: SplitReader, dev: SplitReader, test: SplitReader, targets: Targets
) -> Answers:
    """Fit on `train`, choose on `dev`, answer `test`; nothing is drawn.

    Args:
        train: Labelled rows.
        dev: Rows that choose the penalty.
        test: Rows that are answered.
        targets: The targets of the training set; the others cannot be answered.
    """
    vocab_size = train.manifest.tokenizer.vocab_size
    seen, labels = _features(train, vocab_size), _labels(train, targets)
    known = torch.nonzero(labels >= 0).flatten()
    texts_NV, wanted_N = seen.index_select(0, known), labels[known]
    dev_NV, right = _features(dev, vocab_size), _labels(dev, targets)
    best: tuple[float, Tensor] | None = None
    for penalty in PENALTIES:
        weights = _fit(texts_NV, wanted_N, len(targets.texts), penalty)
        score = float((_answer(dev_NV, weights) == right).double().mean())
        if best is None or score > best[0]:
            best = score, weights
    assert best is not None
    given = _answer(_features(test, vocab_size), best[1])
    return Answers(right=_labels(test, targets).numpy(), given=given.numpy())


def _fit(texts_NV: Tensor, labels_N: Tensor, classes: int, penalty: float) -> Tensor:
    """Weights [V + 1, C], the last row for what every text has."""
    weights = torch.zeros(texts_NV.shape[1], classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(texts_NV @ weights, labels_N)
        value = value + penalty * (weights[:-1] ** 2).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach()


def _answer(texts_NV: Tensor, weights: Tensor) -> Tensor:
    return (texts_NV @ weights).argmax(1)


def _features(data: SplitReader, vocab_size: int) -> Tensor:
    """[N, V + 1]: which tokens each input holds, scaled to length one, and a one; sparse."""
    indices: list[tuple[int, int]] = []
    values: list[float] = []
    for number in range(data.num_rows):
        rows = data.read(np.array([number], np.int64))
        held = np.unique(rows.input_ids[0, : int(rows.extra["target_start"][0]) - 1]).tolist()
        indices += [(number, token) for token in (*held, vocab_size)]
        values += [*([max(len(held), 1) ** -0.5] * len(held)), 1.0]
    return torch.sparse_coo_tensor(
        torch.tensor(indices).T,
        torch.tensor(values, dtype=torch.float64),
        (data.num_rows, vocab_size + 1),
    ).coalesce()


def _labels(data: SplitReader, targets: Targets) -> Tensor:
    found: Sequence[tuple[int, ...]] = row_targets(data)
    return torch.tensor([targets.number(target) for target in found])
