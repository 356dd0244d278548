"""How far the first loss is from what it should be.

Uniform guessing costs ln V nats per token. New weights begin near it; loaded ones well below, as
long as weights, tokenizer and objective belong together. New rows take a share p of the mass from
the old ones, which costs exactly -ln(1 - p) at each label that the base knows; a label that it
does not know begins near ln V.

Shapes: B rows, T tokens, V vocabulary, N labelled tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from train.batch.batch import NO_LABEL, Batch
from train.model.encoder import Encoder
from train.model.transformer import Model

# How far new weights may begin from ln V without a warning: a share of it, or so many nats.
_NEAR, _NEAR_NATS = 0.1, 0.5
# The heads that tokens, and classes, are predicted with.
_TOKEN_HEADS, _CLASS_HEADS = ("head", "transform"), ("class_head",)


@dataclass(frozen=True, kw_only=True)
class FirstLoss:
    """The loss of the first rows before any step, as means over labels in nats.

    Attributes:
        labels: Number of labels that were read.
        loss: Mean over all labels.
        uniform: ln V.
        known_loss: Mean over labels that the base knows, where rows are new.
        new_rows_cost: The part of `known_loss` that is mass given to new rows.
        new_labels: Number of labels that the base does not know.
        new_loss: Mean over those; None where there is none.
        heldout_loss: The loss that the source's own run measured at its end on its own data.
        has_new_head: Whether the head that gives the loss begins anew.
    """

    labels: int
    loss: float
    uniform: float
    known_loss: float | None = None
    new_rows_cost: float | None = None
    new_labels: int | None = None
    new_loss: float | None = None
    heldout_loss: float | None = None
    has_new_head: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self, *, is_loaded: bool) -> list[str]:
        """What to say of the first loss."""
        lines = [
            f"first loss {self.loss:.3f} nats per label over {self.labels:,} labels; uniform "
            f"guessing costs ln V = {self.uniform:.3f} ({self.loss - self.uniform:+.3f})"
        ]
        if is_loaded and self.heldout_loss is not None:
            lines.append(
                f"the source ended at {self.heldout_loss:.3f} on its own held-out split "
                f"({self.loss - self.heldout_loss:+.3f})"
            )
        if self.known_loss is not None:
            cost = self.new_rows_cost or 0.0
            lines.append(
                f"labels that the base knows: {self.known_loss:.3f}, of which {cost:.3f} is mass "
                f"that new rows take; the base alone would have {self.known_loss - cost:.3f}"
            )
        if self.new_loss is not None:
            lines.append(
                f"labels that are new ({self.new_labels:,}): {self.new_loss:.3f}, expected near "
                f"ln V = {self.uniform:.3f} ({self.new_loss - self.uniform:+.3f})"
            )
        return lines

    def warning(self, *, is_loaded: bool) -> str | None:
        """Say what is wrong with the start; None where nothing is."""
        if is_loaded and not self.has_new_head:
            loss = self.loss if self.known_loss is None else self.known_loss
            if not loss <= self.uniform:  # NaN is worse, too
                return (
                    f"loaded weights guess worse than chance ({loss:.3f} > {self.uniform:.3f}): "
                    "do tokenizer, objective and language belong to them?"
                )
        elif not abs(self.loss - self.uniform) <= max(_NEAR * self.uniform, _NEAR_NATS):
            what = "a new head begins" if is_loaded else "new weights begin"
            return (
                f"{what} at {self.loss:.3f}, expected near {self.uniform:.3f}: is the "
                "initialisation too wide?"
            )
        return None


@torch.no_grad()
def first_loss(
    model: Model,
    batches: Iterable[Batch],
    *,
    new_rows: tuple[int, int] | None,
    heldout_loss: float | None = None,
    fresh: Sequence[str] = (),
) -> FirstLoss | None:
    """Measure the first loss on a few rows, one batch at a time; None where they hold no label.

    Args:
        model: The whole model, before ranks share it.
        batches: Small batches, since the logits of all their tokens are in memory at once.
        new_rows: First id that the base does not know, and one past the last.
        heldout_loss: The loss of the source's own run, to compare with.
        fresh: Tensors that begin anew.
    """
    was_training = model.training
    model.eval()
    parts, at = [], None
    for batch in batches:
        at = batch.classes_at
        parts.append(_sums(model, batch, None if at is not None else new_rows))
    model.train(was_training)
    total = torch.stack(parts).sum(0).tolist() if parts else [0.0] * 5
    known, known_loss, cost, new, new_loss = total
    if known + new == 0:
        return None
    config = model.config
    uniform = math.log(config.vocab_size if at is None else config.num_classes or 1)
    heads = _TOKEN_HEADS if at is None else _CLASS_HEADS
    has_new = new_rows is not None and at is None
    return FirstLoss(
        labels=int(known + new),
        loss=(known_loss + new_loss) / (known + new),
        uniform=uniform,
        known_loss=known_loss / known if has_new and known else None,
        new_rows_cost=cost / known if has_new and known else None,
        new_labels=int(new) if has_new else None,
        new_loss=new_loss / new if new else None,
        heldout_loss=heldout_loss,
        has_new_head=any(name.startswith(heads) for name in fresh),
    )


def _logits(model: Model, batch: Batch) -> torch.Tensor:
    """Logits of all positions, [B * T, V], or of all that classes may stand at."""
    if batch.classes_at is None:
        return model.logits(batch).flatten(0, 1)
    assert isinstance(model, Encoder)  # only a bert has classes
    if batch.classes_at == "tokens":
        return model.class_logits(batch).flatten(0, 1)
    rows, tokens = batch.labels.shape
    whole = model.class_logits(batch)
    return whole[:, None].expand(rows, tokens, -1).flatten(0, 1)


def _sums(model: Model, batch: Batch, new_rows: tuple[int, int] | None) -> torch.Tensor:
    """Sum up known labels (number, loss, cost of the new rows) and new labels (number, loss)."""
    labels = batch.labels.reshape(-1)
    labelled = torch.nonzero(labels != NO_LABEL).squeeze(1)
    logits = _logits(model, batch)[labelled].double()
    wanted = labels[labelled]
    losses = logits.logsumexp(-1) - logits.gather(1, wanted[:, None]).squeeze(1)
    start, stop = new_rows or (0, 0)
    is_new = (wanted >= start) & (wanted < stop)
    old = torch.cat((logits[:, :start], logits[:, stop:]), dim=1)
    cost = logits.logsumexp(-1) - old.logsumexp(-1)
    return torch.stack(
        (
            (~is_new).sum().double(),
            losses[~is_new].sum(),
            cost[~is_new].sum(),
            is_new.sum().double(),
            losses[is_new].sum(),
        )
    )
