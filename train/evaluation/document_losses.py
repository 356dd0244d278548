"""Losses of the documents that a run trained on, by several of its checkpoints, as a table keyed by document.

What a document's loss was early and late says what kind of document it is: one that is learnt falls from early to late;
noise stays high; what the model knows by heart, as a copy that dedup missed, is near zero late. The early loss stands
for a reference model of the like of RHO-1's (Lin et al. 2024), without training one.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.errors import ContractError, SettingsError
from train.checkpoint.pointer import CHECKPOINTS_NAME, step_of, whole_checkpoints
from train.evaluation.documents import segment_losses
from train.evaluation.open_heldout import MICROBATCH, OpenHeldout
from train.generation.open_model import OpenWeights

EARLY, LATE, FINAL = "early", "late", "final"
TABLE_NAME = "document_losses.parquet"


@dataclass(frozen=True, kw_only=True)
class DocumentLosses:
    """One entry for each document of a split, in the order in which they were met.

    Attributes:
        doc_ids: Their ids.
        sources: Their sources.
        labels: [D] labels over all segments and copies.
        losses: [D] summed losses of those labels, in nats.
    """

    doc_ids: list[str]
    sources: list[str]
    labels: NDArray[np.int64]
    losses: NDArray[np.float64]


def chosen_checkpoints(run: Path, shares: Mapping[str, float]) -> dict[str, Path]:
    """The checkpoint of a run that lies nearest to each share of its steps.

    Args:
        run: Folder of a run.
        shares: Name -> share of the last checkpoint's step.

    Raises:
        SettingsError: The run keeps too few checkpoints to tell the names apart.
    """
    whole = whole_checkpoints(run / CHECKPOINTS_NAME)
    if not whole:
        raise SettingsError(f"{run}: no checkpoint in its folder {CHECKPOINTS_NAME}/")
    last = step_of(whole[-1])
    chosen = {
        name: min(whole, key=lambda path: (abs(step_of(path) - share * last), step_of(path)))
        for name, share in shares.items()
    }
    if len(set(chosen.values())) < len(shares):
        steps = ", ".join(f"{step_of(path):,}" for path in whole)
        wanted = ", ".join(f"{name} near {round(share * last):,}" for name, share in shares.items())
        raise SettingsError(
            f"{run}: keeps checkpoints of steps {steps}, too few for {wanted}; train with "
            f"checkpoint: {{every_steps: N, keep_every_steps: N}} and N of {max(1, last // 10):,} or less"
        )
    return chosen


def document_losses(
    weights: OpenWeights, split: OpenHeldout, *, said: Callable[[int], object] = lambda rows: None
) -> DocumentLosses:
    """The loss of each document of a split by some weights; first tokens that nothing precedes in their row are left out.

    Args:
        weights: On the device that computes.
        split: Open, with the objective that its rows are read by.
        said: Told the number of rows after each batch.

    Raises:
        ContractError: The objective does not keep the segments of rows.
    """
    index: dict[str, int] = {}
    sources: list[str] = []
    sums: list[float] = []
    counts: list[float] = []
    for segments, losses, labels in segment_losses(
        weights.model, split.data, split.batches, microbatch=MICROBATCH
    ):
        if not len(segments) == len(losses) == len(labels):
            raise ContractError(
                f"{weights.source.path}: its objective does not say which document a label is of; a decoder does"
            )
        for segment, loss, count in zip(segments, losses, labels, strict=True):
            if segment is None or not count:
                continue
            number = index.setdefault(segment.doc_id, len(index))
            if number == len(sums):
                sources.append(segment.source)
                sums.append(0.0)
                counts.append(0.0)
            sums[number] += loss
            counts[number] += count
        said(MICROBATCH)
    split.data.reader.close()
    return DocumentLosses(
        doc_ids=list(index),
        sources=sources,
        labels=np.array(counts, np.float64).astype(np.int64),
        losses=np.array(sums, np.float64),
    )


def losses_table(found: Mapping[str, DocumentLosses], about: Mapping[str, str]) -> pa.Table:
    """Columns doc_id, source, labels, one of nats per label for each checkpoint, and `learnt`: early minus late.

    Args:
        found: By name of the checkpoint; `early` and `late` among them.
        about: Metadata of the file.

    Raises:
        ContractError: The checkpoints were scored on other documents.
    """
    first = next(iter(found.values()))
    for name, one in found.items():
        if one.doc_ids != first.doc_ids or not np.array_equal(one.labels, first.labels):
            raise ContractError(
                f"{name}: scored {len(one.doc_ids):,} documents, the first checkpoint {len(first.doc_ids):,} others"
            )
    means = {name: one.losses / first.labels for name, one in found.items()}
    return pa.table(
        {
            "doc_id": pa.array(first.doc_ids, pa.string()),
            "source": pa.array(first.sources, pa.string()),
            "labels": pa.array(first.labels, pa.int64()),
            **{name: pa.array(values, pa.float64()) for name, values in means.items()},
            "learnt": pa.array(means[EARLY] - means[LATE], pa.float64()),
        }
    ).replace_schema_metadata(dict(about))


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table beside its name, then rename it: a reader never finds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        pq.write_table(table, aside, compression="zstd")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def summary(table: pa.Table, names: Sequence[str]) -> list[tuple[str, list[float]]]:
    """Percentiles 1, 10, 50, 90 and 99 of each column over the documents."""
    return [
        (name, np.percentile(table[name].to_numpy(), (1, 10, 50, 90, 99)).tolist())
        for name in names
    ]
