"""Losses as sums: micro-batches and ranks add up, and one division by the global count ends it.

Shapes: O sources.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from train.distributed.world import World

_BY_SOURCE = "_by_source"


@dataclass(frozen=True, kw_only=True)
class StepSums:
    """What one step adds up, as float64 tensors; `add_` changes them in place.

    `pack` and `unpack` alone know the order in which ranks and servers exchange these sums: that of
    the fields.

    Attributes:
        loss: Scalar, sum of the losses of all labels, in nats.
        labels: Scalar, number of labels.
        stop_votes: Scalar, number of ranks that were asked to stop.
        loss_by_source: [O], sums of losses, in nats.
        labels_by_source: [O], numbers of labels.
        tokens_by_source: [O], packed tokens without padding.
        pair_loss: Scalar, sum of the losses of sentence pairs, in nats.
        pairs: Scalar, number of sentence pairs.
        requests: Scalar, number of ranks that see a request for other settings.
    """

    loss: Tensor
    labels: Tensor
    stop_votes: Tensor
    loss_by_source: Tensor
    labels_by_source: Tensor
    tokens_by_source: Tensor
    pair_loss: Tensor
    pairs: Tensor
    requests: Tensor

    @classmethod
    def zeros(cls, num_sources: int, device: torch.device) -> StepSums:
        """The sums of a step that has not begun."""
        size = cls.packed_size(num_sources)
        return cls.unpack(torch.zeros(size, dtype=torch.float64, device=device), num_sources)

    @classmethod
    def packed_size(cls, num_sources: int) -> int:
        """Length of the vector that `pack` gives."""
        return sum(cls._sizes(num_sources))

    @classmethod
    def unpack(cls, flat: Tensor, num_sources: int) -> StepSums:
        """The sums as views into a vector that `pack` made."""
        parts = torch.split(flat, cls._sizes(num_sources))
        named = {
            field.name: part if field.name.endswith(_BY_SOURCE) else part.squeeze(0)
            for field, part in zip(fields(cls), parts, strict=True)
        }
        return cls(**named)

    def pack(self) -> Tensor:
        """All sums as one new vector."""
        return torch.cat([getattr(self, field.name).reshape(-1) for field in fields(self)])

    def add_(self, other: StepSums) -> None:
        """Add what another process counted, in place."""
        for field in fields(self):
            getattr(self, field.name).add_(getattr(other, field.name))

    @classmethod
    def _sizes(cls, num_sources: int) -> list[int]:
        return [num_sources if field.name.endswith(_BY_SOURCE) else 1 for field in fields(cls)]


@dataclass(frozen=True, kw_only=True)
class StepTotals:
    """Sums of a step over all ranks and micro-batches.

    Attributes:
        loss: Sum over all labels, in nats.
        own_labels: The labels that this rank read itself.
        stop_asked: Whether any rank was asked to stop.
        has_request: Whether any rank sees a request for other settings.
    """

    loss: float
    labels: float
    own_labels: float
    loss_by_source: dict[str, float]
    labels_by_source: dict[str, float]
    tokens_by_source: dict[str, float]
    stop_asked: bool
    has_request: bool = False
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


@dataclass(frozen=True, kw_only=True)
class WorstRow:
    """The row of a step with the highest loss per label.

    Attributes:
        loss: Nats per label.
        sample: Its number in the order of the run.
    """

    loss: float
    sample: int


class LossMeter:
    """Adds up micro-batches on a rank in float64, then all ranks with one collective.

    Attributes:
        sums: What this rank has counted so far; `total` leaves it as it is.
        keeps_rows: Whether rows are looked at one by one.
    """

    def __init__(
        self, sources: tuple[str, ...], device: torch.device, *, keeps_rows: bool = False
    ) -> None:
        self._sources = sources
        self.sums = StepSums.zeros(len(sources), device)
        self.keeps_rows = keeps_rows
        self._worst: Tensor | None = None  # [2], loss and sample

    def take(self) -> StepSums:
        """The sums so far; what is added from now on begins at zero."""
        taken, self.sums = self.sums, StepSums.zeros(len(self._sources), self.sums.loss.device)
        return taken

    def add(self, loss_by_source: Tensor, labels_by_source: Tensor) -> None:
        """Add a micro-batch's sums: [O] each."""
        self.sums.loss.add_(loss_by_source.sum())
        self.sums.labels.add_(labels_by_source.sum())
        self.sums.loss_by_source.add_(loss_by_source)
        self.sums.labels_by_source.add_(labels_by_source)

    def add_tokens(self, tokens_by_source: Tensor, *, readers: int) -> None:
        """Add the tokens of a micro-batch, [O], of which `readers` ranks each count a part."""
        self.sums.tokens_by_source.add_(tokens_by_source.to(self.sums.tokens_by_source) / readers)

    def add_pairs(self, loss: Tensor, pairs: Tensor) -> None:
        """Add a micro-batch's sentence pairs: the sum of their losses and their number."""
        self.sums.pair_loss.add_(loss)
        self.sums.pairs.add_(pairs)

    def add_rows(self, losses: Tensor, samples: Tensor) -> None:
        """Look at the rows of a micro-batch: nats per label and number in the order, [B] each."""
        worst = int(torch.nan_to_num(losses, nan=-1.0).argmax())
        found = torch.stack((losses[worst].double().cpu(), samples[worst].double()))
        if self._worst is None or found[0] > self._worst[0]:
            self._worst = found

    def worst_row(self, world: World) -> WorstRow | None:
        """The worst row of all ranks, which all call it; None where rows are not looked at."""
        if not self.keeps_rows:
            return None
        own = (
            torch.tensor([-1.0, -1.0], dtype=torch.float64) if self._worst is None else self._worst
        )
        every = world.gather(own)
        loss, sample = max(every.tolist())
        return WorstRow(loss=loss, sample=int(sample)) if sample >= 0 else None

    def total(self, world: World, *, stop_asked: bool, copies: int = 1) -> StepTotals:
        """Sum over all ranks.

        Args:
            world: All ranks; each calls it.
            stop_asked: Whether this rank was asked to stop; the totals say whether any was.
            copies: Number of ranks that count the same loss.
        """
        votes = torch.full_like(self.sums.stop_votes, float(stop_asked))
        return self.totals_of(world.sum(replace(self.sums, stop_votes=votes).pack()) / copies)

    def totals_of(self, packed: Tensor) -> StepTotals:
        """The totals whose sums over all ranks are a vector of `StepSums.pack`."""
        sums = StepSums.unpack(packed.cpu(), len(self._sources))
        return StepTotals(
            loss=float(sums.loss),
            labels=float(sums.labels),
            own_labels=float(self.sums.labels),
            stop_asked=float(sums.stop_votes) > 0,
            has_request=float(sums.requests) > 0,
            loss_by_source=self._named(sums.loss_by_source),
            labels_by_source=self._named(sums.labels_by_source),
            tokens_by_source=self._named(sums.tokens_by_source),
            pair_loss=float(sums.pair_loss),
            pairs=float(sums.pairs),
        )

    def _named(self, by_source: Tensor) -> dict[str, float]:
        return dict(zip(self._sources, by_source.tolist(), strict=True))
