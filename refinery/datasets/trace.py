"""From a packed row to its documents and their origin, and from a document to its rows. No Spark.

The tables of the run, where they still lie beside the dataset, add url, scores and verdicts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from refinery.datasets.open import open_dataset
from refinery.publish import storage
from refinery.publish.fetched import StoredFolder
from refinery.publish.runs import stages_of
from schemas.errors import ContractError, SettingsError
from schemas.manifest import Manifest, Shard, Split


@dataclass(frozen=True)
class DatasetFolder:
    """A dataset here or on a store: the manifest, and the folder that its paths are relative to."""

    stored: StoredFolder
    manifest: Manifest

    @classmethod
    def open(cls, path: Path | str) -> DatasetFolder:
        """Read the manifest at `path`, which is the file or its folder."""
        return cls(*open_dataset(path))

    def split(self, name: str) -> Split:
        return self.manifest.train if name == "train" else self.manifest.heldout


class Segment(TypedDict):
    """A piece of a document in a packed row; offsets and lengths in tokens."""

    doc_id: str
    source: str
    copy: int
    doc_start: int
    row_start: int
    length: int


class PackedRow(TypedDict):
    """A row of a shard; columns that only some datasets have (schemas.rows) stand beside these."""

    row_id: str
    input_ids: list[int]
    segments: list[Segment]
    next_token: int


class TracedRow(PackedRow):
    """A packed row and its shard; `row` counts through the split, `row_in_shard` in the shard."""

    split: str
    row: int
    shard: str
    row_in_shard: int


class TracedSegment(Segment):
    """A segment and the row that holds it."""

    split: str
    row: int
    shard: str


class Origin(TypedDict):
    """What the ledger of the run says about a document."""

    doc_id: str
    url: str | None
    lang: str | None
    lang_score: float | None
    scores: dict[str, float]


class Duplicate(TypedDict):
    """The document that another one resembles, and by which measure."""

    kept_id: str
    method: str
    jaccard: float
    containment: float


class Verdict(TypedDict, total=False):
    """Where a document ended; `duplicate` where it resembles an earlier one."""

    fate: str
    reason: str | None
    duplicate: Duplicate


def trace_row(dataset: DatasetFolder, split: str, row: int) -> TracedRow:
    """One packed row with its shard, its segments and its tokens.

    Args:
        dataset: The folder that holds the row.
        split: Name of the split, `train` or `heldout`.
        row: Row index across the shards of the split, from 0.

    Raises:
        SettingsError: There is no such row.
    """
    shard, local = _locate(dataset.split(split), split, row)
    with dataset.stored.file(shard.path) as file:
        packed = _read_row(file, local)
    return {"split": split, "row": row, "shard": shard.path, "row_in_shard": local, **packed}


def trace_document(dataset: DatasetFolder, doc_id: str) -> Iterator[TracedSegment]:
    """Every row that holds a piece of a document, in the order of the shards."""
    for name in ("train", "heldout"):
        first = 0
        for shard in dataset.split(name).shards:
            with dataset.stored.file(shard.path) as file:
                for local, segment in _find_segments(file, doc_id):
                    row = first + local
                    yield {"split": name, "row": row, "shard": shard.path, **segment}
            first += shard.rows


def origins(dataset: DatasetFolder, doc_ids: list[str]) -> dict[str, Origin]:
    """URL, language, scores and verdict by document, from the ledger of the run that packed it.

    Empty where the tables do not lie beside the dataset any more.
    """
    columns = ["doc_id", "url", "lang", "lang_score", "scores"]
    rows = _table_rows(dataset, "clean", "ledger", doc_ids, columns=columns)
    return {
        row["doc_id"]: {
            "doc_id": row["doc_id"],
            "url": row["url"],
            "lang": row["lang"],
            "lang_score": row["lang_score"],
            "scores": dict(row["scores"] or ()),
        }
        for row in rows
    }


def verdict(dataset: DatasetFolder, doc_id: str) -> Verdict:
    """Where one document ended, and what it was found to be a duplicate of.

    Empty where the run that packed the dataset had no such document, or its tables are gone. A
    document that dedup only marked is kept and yet names what it resembles.
    """
    outcome: Verdict = {}
    for row in _table_rows(dataset, "tokenise", "fates", [doc_id], columns=["fate", "reason"]):
        outcome["fate"], outcome["reason"] = row["fate"], row["reason"]
    names = ["kept_id", "method", "jaccard", "containment"]
    for row in _table_rows(dataset, "dedup", "duplicates", [doc_id], columns=names):
        outcome["duplicate"] = {
            "kept_id": row["kept_id"],
            "method": row["method"],
            "jaccard": row["jaccard"],
            "containment": row["containment"],
        }
    return outcome


def _table_rows(
    dataset: DatasetFolder, stage: str, table: str, doc_ids: list[str], *, columns: list[str]
) -> list[dict[str, Any]]:
    """Rows of some documents in a table of the run; none where it does not lie there any more."""
    summary = next((s for s in dataset.manifest.stages if s.stage == stage), None)
    uri = dataset.stored.uri
    output = (
        str(storage.local_path(uri).parent) if storage.is_local(uri) else uri.rpartition("/")[0]
    )
    store = stages_of(output).store
    record = store.record(stage, summary.fingerprint) if summary else None
    folder = store.table_uri(record, table) if record is not None else None
    if folder is None or not storage.exists(folder):
        return []
    system, path = storage.file_system(folder)
    rows: list[dict[str, Any]] = (
        ds.dataset(path, format="parquet", filesystem=system)
        .to_table(columns=columns, filter=pc.field("doc_id").isin(doc_ids))
        .to_pylist()
    )
    return rows


def _locate(split: Split, name: str, row: int) -> tuple[Shard, int]:
    left = row
    for shard in split.shards:
        if 0 <= left < shard.rows:
            return shard, left
        left -= shard.rows
    raise SettingsError(f"no row {row} in split '{name}': it has rows 0 to {split.rows - 1}")


def _read_row(path: Path, row: int) -> PackedRow:
    """Read the one row group that holds the row."""
    with _open(path) as file:
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if row < size:
                packed: PackedRow = file.read_row_group(group).slice(row, 1).to_pylist()[0]
                return packed
            row -= size
    raise ContractError(f"{path}: fewer rows than the manifest says; run `refinery verify`")


def _find_segments(path: Path, doc_id: str) -> Iterator[tuple[int, Segment]]:
    """(row in shard, segment) of one document; tokens are not decoded."""
    with _open(path) as file:
        first = 0
        for group in range(file.num_row_groups):
            lists = file.read_row_group(group, columns=["segments"]).column(0).combine_chunks()
            chunk = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
            flat = chunk.flatten()
            rows = pc.list_parent_indices(chunk)
            hits = pc.equal(flat.field("doc_id"), doc_id)
            for row, segment in zip(
                rows.filter(hits).to_pylist(), flat.filter(hits).to_pylist(), strict=True
            ):
                yield first + row, segment
            first += len(chunk)


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ContractError(f"{path}: not a readable shard: {error}") from error
