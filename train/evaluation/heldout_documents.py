"""The held-out loss by document: how sure a figure of the held-out split is.

Tokens of a document resemble each other, so documents are what is counted, not tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from train.distributed.world import World
from train.evaluation.documents import shown_segments
from train.evaluation.open_heldout import (
    MICROBATCH,
    HeldoutRequest,
    OpenHeldout,
    heldout_of_weights,
    open_heldout,
)
from train.generation.open_model import OpenWeights
from train.statistics.intervals import Estimate, ratio_interval


@dataclass(frozen=True, kw_only=True)
class HeldoutDocuments:
    """A sum and a count for each held-out document, in the order of the split.

    Attributes:
        names: Id of each document.
        sources: Its source.
        losses: Sum of the losses of its labels, in nats; first tokens that no mark precedes are left out.
        labels: Number of its labels.
    """

    names: tuple[str, ...]
    sources: tuple[str, ...]
    losses: tuple[float, ...]
    labels: tuple[int, ...]


def sums_by_document(split: OpenHeldout, heard: Sequence[Any]) -> HeldoutDocuments | None:
    """Sums by document; None for layouts whose rows do not say which document a label is of.

    Args:
        split: What was read, by one rank alone.
        heard: The sums of each batch, in the order of the rows; the batches behind those of the rows hold first tokens
            alone.
    """
    total = split.data.manifest.heldout.rows
    samples = np.arange(total, dtype=np.int64) if split.rows is None else split.rows
    batches = -(-len(samples) // MICROBATCH)
    segments = [
        segment
        for start in range(0, len(samples), MICROBATCH)
        for segment in shown_segments(
            split.data, split.batches, samples[start : start + MICROBATCH]
        )
    ]
    losses = torch.cat([one.loss_by_segment for one in heard[:batches]]).tolist()
    labels = torch.cat([one.labels_by_segment for one in heard[:batches]]).tolist()
    if not len(segments) == len(losses) == len(labels):
        return None
    sums: dict[tuple[str, str], list[float]] = {}
    for segment, loss, count in zip(segments, losses, labels, strict=True):
        if segment is not None and count:
            both = sums.setdefault((segment.doc_id, segment.source), [0.0, 0.0])
            both[0] += loss
            both[1] += count
    return HeldoutDocuments(
        names=tuple(name for name, _ in sums),
        sources=tuple(source for _, source in sums),
        losses=tuple(loss for loss, _ in sums.values()),
        labels=tuple(int(count) for _, count in sums.values()),
    )


def heldout_with_intervals(
    weights: OpenWeights, request: HeldoutRequest, world: World
) -> dict[str, Any]:
    """The held-out figures of weights, each with a 95 % interval over documents where one rank reads all of them.

    Raises:
        ContractError: The ids of the rows are not those of the weights.
        PipelineError: The loss is not a number.
    """
    heard: list[Any] = []
    split = open_heldout(weights, request)
    figures = heldout_of_weights(weights, split, world, heard=heard.append).as_dict()
    if world.size > 1:
        return figures
    documents = sums_by_document(split, heard)
    return figures if documents is None else with_intervals(figures, documents)


def with_intervals(figures: dict[str, Any], documents: HeldoutDocuments) -> dict[str, Any]:
    """Held-out figures with `interval` beside the loss and the bits per byte of each source, and of all.

    The interval of the bits has the relative width of the loss's: rows do not hold how many bytes each document has.
    """
    sources = {
        name: {**row, **_interval(row, documents, name)} for name, row in figures["sources"].items()
    }
    return {**figures, **_interval(figures, documents, None), "sources": sources}


def _interval(
    row: dict[str, Any], documents: HeldoutDocuments, source: str | None
) -> dict[str, Any]:
    own = [number for number, one in enumerate(documents.sources) if source in (None, one)]
    if not own:
        return {}
    found = ratio_interval(
        [documents.losses[number] for number in own],
        [documents.labels[number] for number in own],
        clusters=[documents.names[number] for number in own],
    )
    plain: dict[str, Any] = {"documents": found.units, "loss_interval": _ends(found, row["loss"])}
    if row["bits_per_byte"] is not None:
        plain["bits_per_byte_interval"] = _ends(found, row["bits_per_byte"])
    if found.warning is not None:
        plain["warning"] = found.warning
    return plain


def _ends(found: Estimate, value: float) -> list[float] | None:
    """The interval around a figure of the same relative width; None where one document tells no spread."""
    if found.units < 2:
        return None
    return [value * found.low / found.value, value * found.high / found.value]
