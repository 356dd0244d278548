"""Losses as sums: micro-batches and ranks add up, and one division by the global count ends it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from train.distributed.world import World


@dataclass(frozen=True, kw_only=True)
class StepTotals:
    """Sums of a step over all ranks and micro-batches.

    Attributes:
        loss: Sum over all labels, in nats.
        own_labels: The labels that this rank read itself.
        stop_asked: Whether any rank was asked to stop.
    """

    loss: float
    labels: float
    own_labels: float
    loss_by_source: dict[str, float]
    labels_by_source: dict[str, float]
    tokens_by_source: dict[str, float]
    stop_asked: bool
    pair_loss: float = 0.0
    pairs: float = 0.0

    @property
    def pair_mean(self) -> float | None:
        """Loss per sentence pair, in nats; None without pairs."""
        return self.pair_loss / self.pairs if self.pairs else None

    @property
    def mean(self) -> float:
        """Loss per label, in nats."""
        return self.loss / max(self.labels, 1.0)

    def means_by_source(self) -> dict[str, float]:
        """Loss per label of each source that had one."""
        return {
            source: self.loss_by_source[source] / labels
            for source, labels in self.labels_by_source.items()
            if labels > 0
        }


class LossMeter:
    """Add up micro-batches on a rank in float64, then over the ranks with one collective."""

    def __init__(self, sources: tuple[str, ...], device: torch.device) -> None:
        self._sources = sources
        # loss, labels, stop flag; loss, labels and tokens of each source; loss and number of pairs
        self._sums = torch.zeros(5 + 3 * len(sources), dtype=torch.float64, device=device)

    def add(self, loss_by_source: Tensor, labels_by_source: Tensor) -> None:
        """Add a micro-batch's sums: [sources] each."""
        count = len(self._sources)
        self._sums[0] += loss_by_source.sum()
        self._sums[1] += labels_by_source.sum()
        self._sums[3 : 3 + count] += loss_by_source
        self._sums[3 + count : 3 + 2 * count] += labels_by_source

    def add_tokens(self, tokens_by_source: Tensor, *, readers: int) -> None:
        """Add the tokens of a micro-batch, [sources], of which `readers` ranks each count a part."""
        count = len(self._sources)
        self._sums[3 + 2 * count : 3 + 3 * count] += tokens_by_source.to(self._sums) / readers

    def add_pairs(self, loss: Tensor, pairs: Tensor) -> None:
        """Add a micro-batch's sentence pairs: the sum of their losses and their number."""
        self._sums[-2] += loss
        self._sums[-1] += pairs

    @property
    def labels(self) -> float:
        """Labels so far, of this rank until `total`."""
        return float(self._sums[1])

    @property
    def sums(self) -> Tensor:
        """All sums as one vector that `add_sums` of another meter takes."""
        return self._sums

    def add_sums(self, sums: Tensor) -> None:
        """Add what another process counted."""
        self._sums += sums

    def total(self, world: World, *, stop_asked: bool, copies: int = 1) -> StepTotals:
        """Sums over all ranks, `copies` of which read the same rows; a wish to stop rides along."""
        own_labels = self.labels
        self._sums[2] = float(stop_asked)
        sums = (world.sum(self._sums) / copies).tolist()
        count = len(self._sources)
        return StepTotals(
            loss=sums[0],
            labels=sums[1],
            own_labels=own_labels,
            stop_asked=sums[2] > 0,
            loss_by_source=dict(zip(self._sources, sums[3 : 3 + count], strict=True)),
            labels_by_source=dict(zip(self._sources, sums[3 + count : 3 + 2 * count], strict=True)),
            tokens_by_source=dict(zip(self._sources, sums[3 + 2 * count : -2], strict=True)),
            pair_loss=sums[-2],
            pairs=sums[-1],
        )
