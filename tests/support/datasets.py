"""Write small datasets that obey the manifest's contract, without Spark."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.manifest import (
    MANIFEST_NAME,
    Manifest,
    Shard,
    SourceSummary,
    SpecialIds,
    Split,
    TokenAccount,
    TokenizerIdentity,
    manifest_root,
)
from schemas.rows import content_sha256, row_schema

SOURCES = ("web", "zh")
_PAD_AND_END = SpecialIds(pad=0, eos=1)


@dataclass(frozen=True, kw_only=True)
class DatasetShape:
    """Sizes of a synthetic dataset.

    Attributes:
        copied_every: Of so many rows the second one has the same text, each time under another id: copies that
            dedup missed. None: no row has.
    """

    rows_per_shard: Sequence[int] = (40, 25, 31)
    heldout_rows: int = 12
    seq_len: int = 16
    vocab_size: int = 97
    lanes: int = 4
    row_group_rows: int = 8
    seed: int = 0
    padded: bool = True
    layout: str = "concat"
    columns: tuple[str, ...] = ()
    special: SpecialIds = _PAD_AND_END
    copied_every: int | None = None


def write_dataset(folder: Path, shape: DatasetShape = DatasetShape()) -> Path:
    """Write shards and manifest; tokens follow a noisy successor rule, so that a model can learn.

    Each row has one or two segments and, where `padded`, some padding (id 0) in every fifth row.
    """
    (folder / "tokenizer").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(shape.seed)
    train = [
        _write_shard(folder, f"shard-{number:05d}.parquet", rows, shape, rng)
        for number, rows in enumerate(shape.rows_per_shard)
    ]
    heldout = [_write_shard(folder, "heldout-00000.parquet", shape.heldout_rows, shape, rng)]
    manifest = Manifest(
        name="synthetic",
        root="0" * 64,
        seed=1,
        seq_len=shape.seq_len,
        lanes=shape.lanes,
        layout=shape.layout,
        columns=shape.columns,
        tokenizer=TokenizerIdentity(
            path="tokenizer",
            sha256=hashlib.sha256(b"synthetic").hexdigest(),
            vocab_size=shape.vocab_size,
            special_ids=shape.special,
        ),
        train=_split(train, weighted=True),
        heldout=_split(heldout, weighted=False),
        stages=(),
        recipe_fingerprint="0" * 64,
        code_version="test",
        created_at="2026-01-01T00:00:00Z",
    )
    manifest = manifest.model_copy(update={"root": manifest_root(manifest)})
    path = folder / MANIFEST_NAME
    path.write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    return path


def _write_shard(
    folder: Path, name: str, rows: int, shape: DatasetShape, rng: np.random.Generator
) -> Shard:
    records = [_row(f"{name}-{number}", number, shape, rng) for number in range(rows)]
    table = pa.Table.from_pylist(records, schema=row_schema(shape.columns))
    path = folder / name
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for start in range(0, rows, shape.row_group_rows):
            writer.write_table(table.slice(start, shape.row_group_rows))
    by_source = dict.fromkeys(SOURCES, 0)
    for record in records:
        for segment in record["segments"]:
            by_source[segment["source"]] += segment["length"]
    tokens = sum(by_source.values())
    return Shard(
        path=name,
        rows=rows,
        tokens=tokens,
        padding=rows * shape.seq_len - tokens,
        bytes=path.stat().st_size,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        content_sha256=content_sha256(table.combine_chunks().to_batches()),
        tokens_by_source=by_source,
    )


def _row(name: str, number: int, shape: DatasetShape, rng: np.random.Generator) -> dict[str, Any]:
    length = shape.seq_len
    real = length - length // 4 if shape.padded and number % 5 == 4 else length
    ids = np.zeros(length, dtype=np.int32)
    start = int(rng.integers(2, shape.vocab_size))
    ids[:real] = 2 + (start + np.arange(real) + rng.integers(0, 2, real)) % (shape.vocab_size - 2)
    if is_copy(number, shape):
        ids[:real] = np.random.default_rng(7).integers(2, shape.vocab_size, real)
    cut = real // 2 if number % 3 == 0 else real
    bounds = [(0, cut)] if cut == real else [(0, cut), (cut, real)]
    segments = [
        {
            "doc_id": hashlib.sha256(f"{name}-{part}".encode()).hexdigest()[:32],
            "source": SOURCES[(number + part) % len(SOURCES)],
            "copy": 0,
            "doc_start": 0,
            "row_start": begin,
            "length": end - begin,
        }
        for part, (begin, end) in enumerate(bounds)
    ]
    for begin, end in bounds:
        ids[end - 1] = 1 if end > begin else ids[end - 1]
    return {
        "row_id": hashlib.sha256(name.encode()).hexdigest()[:16],
        "input_ids": ids.tolist(),
        "segments": segments,
        "next_token": -1,
        **{name: _optional(name, number, shape) for name in shape.columns},
    }


def is_copy(number: int, shape: DatasetShape) -> bool:
    """Whether a row of a shard has the text that others have, too."""
    return shape.copied_every is not None and number % shape.copied_every == 1


def _optional(name: str, number: int, shape: DatasetShape) -> Any:
    """A value of an optional column: all tokens begin words, each row's second half is its target."""
    match name:
        case "target_start" | "segment_b_start":
            return shape.seq_len // 2
        case "is_next":
            return number % 2
        case "class_label":
            return number % 3
        case "token_labels":
            return [number % 3] * shape.seq_len
        case _:
            return [True] * shape.seq_len


def _split(shards: list[Shard], *, weighted: bool) -> Split:
    tokens = sum(shard.tokens for shard in shards)
    sources = {
        name: SourceSummary(
            weight=1 / len(SOURCES) if weighted else None,
            documents=1,
            tokens=sum(shard.tokens_by_source[name] for shard in shards),
            text_bytes=3 * sum(shard.tokens_by_source[name] for shard in shards),
            packed_tokens=sum(shard.tokens_by_source[name] for shard in shards),
            epochs=1.0,
        )
        for name in SOURCES
    }
    account = TokenAccount(
        tokens_in=tokens, packed=tokens, dropped=0, padding=sum(shard.padding for shard in shards)
    )
    return Split(shards=tuple(shards), sources=sources, account=account)
