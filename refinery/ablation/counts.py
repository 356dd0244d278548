"""What sets the dataset of an arm apart from the base's, in documents, tokens and rows.

Ids of kept documents and of rows are held in memory: some hundred bytes for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.dataset as ds

from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.query.database import open_tables
from schemas.manifest import Manifest

_TOKENS = "SELECT doc_id, num_tokens, split FROM tokens"
# A held-out document of the base that the arm gave up for one that it resembles.
_RESEMBLING = "SELECT doc_id, kept_id FROM duplicates"


@dataclass(frozen=True, kw_only=True)
class ArmCounts:
    """Documents and tokens once each, whatever their copies; rows of the training split.

    Attributes:
        documents: Kept documents of both splits.
        tokens: Their tokens.
        more_documents: Kept by the arm and not by the base: what the decision removes.
        more_tokens: Their tokens.
        fewer_documents: Kept by the base and not by the arm: resembling ones are kept instead.
        fewer_tokens: Their tokens.
        rows: Rows of the training split.
        shared_rows: Of them, equal rows of the base.
        near_heldout: Training documents that resemble a held-out one of the base, for dedup keeps them instead.
    """

    documents: int
    tokens: int
    more_documents: int = 0
    more_tokens: int = 0
    fewer_documents: int = 0
    fewer_tokens: int = 0
    rows: int = 0
    shared_rows: int = 0
    near_heldout: int = 0


@dataclass(frozen=True, kw_only=True)
class ArmTables:
    """Where an arm's tables and rows lie."""

    store: Store
    records: Mapping[str, StageRecord]
    dataset: str
    manifest: Manifest


@dataclass(frozen=True, kw_only=True)
class _Kept:
    tokens: dict[str, int]
    heldout: frozenset[str]
    duplicates: dict[str, str]


def count_arm(base: ArmTables, arm: ArmTables) -> ArmCounts:
    """Compare the kept documents and the training rows of an arm with the base's."""
    before, after = _kept(base), _kept(arm)
    more = [count for name, count in after.tokens.items() if name not in before.tokens]
    fewer = [count for name, count in before.tokens.items() if name not in after.tokens]
    rows, own = _row_ids(arm), _row_ids(base)
    near = {
        kept
        for name, kept in after.duplicates.items()
        if name in before.heldout and kept in after.tokens and kept not in after.heldout
    }
    return ArmCounts(
        documents=len(after.tokens),
        tokens=sum(after.tokens.values()),
        more_documents=len(more),
        more_tokens=sum(more),
        fewer_documents=len(fewer),
        fewer_tokens=sum(fewer),
        rows=arm.manifest.train.rows,
        shared_rows=len(rows & own),
        near_heldout=len(near),
    )


def _kept(arm: ArmTables) -> _Kept:
    tokens: dict[str, int] = {}
    heldout: set[str] = set()
    with open_tables(arm.store, arm.records) as database:
        for batch in database.stream(_TOKENS):
            names = batch.column("doc_id").to_pylist()
            tokens.update(zip(names, batch.column("num_tokens").to_pylist(), strict=True))
            splits = batch.column("split").to_pylist()
            heldout.update(
                name for name, split in zip(names, splits, strict=True) if split == "heldout"
            )
        # Also of a dedup that marks: there both stay, on one side.
        duplicates = {
            name: kept
            for batch in database.stream(_RESEMBLING)
            for name, kept in zip(
                batch.column("doc_id").to_pylist(), batch.column("kept_id").to_pylist(), strict=True
            )
        }
    return _Kept(tokens=tokens, heldout=frozenset(heldout), duplicates=duplicates)


def _row_ids(arm: ArmTables) -> set[str]:
    """Names of the training rows, which are hashes of their content."""
    system, path = storage.file_system(arm.dataset)
    files = [f"{path}/{shard.path}" for shard in arm.manifest.train.shards]
    rows = ds.dataset(files, format="parquet", filesystem=system)
    return {
        name
        for batch in rows.to_batches(columns=["row_id"])
        for name in batch.column("row_id").to_pylist()
    }
