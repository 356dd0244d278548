"""Micro-batches of one step brought to one shape: stages of a pipeline agree on shapes once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from train.batch.batch import NO_LABEL, Batch


def pad_alike(batches: Sequence[Batch]) -> list[Batch]:
    """Pad to the longest rows; padding is document 0 and has no label, so no loss changes."""
    tokens = max(batch.input_ids.shape[1] for batch in batches)
    labels = max(batch.labels.shape[1] for batch in batches)
    return [_padded(batch, tokens, labels) for batch in batches]


def _padded(batch: Batch, tokens: int, labels: int) -> Batch:
    short, missing = tokens - batch.input_ids.shape[1], labels - batch.labels.shape[1]
    if not (short or missing):
        return batch
    changes: dict[str, Tensor | bool] = {"is_whole": False}
    for name in ("input_ids", "document", "positions", "token_types", "visible"):
        value = getattr(batch, name)
        if value is not None:
            changes[name] = F.pad(value, (0, short))
    changes["labels"] = F.pad(batch.labels, (0, missing), value=NO_LABEL)
    changes["segment"] = F.pad(batch.segment, (0, missing), value=-1)
    if batch.decoder_ids is not None:
        changes["decoder_ids"] = F.pad(batch.decoder_ids, (0, missing))
    return replace(batch, **changes)  # type: ignore[arg-type]
