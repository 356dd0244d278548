"""Pack a few megabytes of text into a dataset without Spark, for benchmarks of the trainer.

A document is the end mark and then its tokens, so that its first token is predicted too and bits
per character are exact. Rows are cut from the concatenation; documents are ordered by hash.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from refinery.tokenizers.identity import identify_tokenizer, load_tokenizer
from schemas.manifest import (
    MANIFEST_NAME,
    Manifest,
    Shard,
    SourceSummary,
    Split,
    TokenAccount,
    manifest_root,
)
from schemas.rows import NO_TOKEN, ROW_SCHEMA, content_sha256

ROWS_PER_GROUP = 64


@dataclass(frozen=True, kw_only=True)
class PackedText:
    """What a split came to."""

    tokens: int
    characters: int
    text_bytes: int
    rows: int


def write_dataset(
    folder: Path, *, name: str, train: Sequence[str], heldout: Sequence[str], tokenizer: Path,
    seq_len: int,
) -> dict[str, PackedText]:  # fmt: skip
    """Write shards, tokenizer and manifest, unless they are there; the counts of each split."""
    counted = folder / "packed.json"
    if counted.is_file():
        return {split: PackedText(**c) for split, c in json.loads(counted.read_text()).items()}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(tokenizer, folder / "tokenizer")
    identity = identify_tokenizer(tokenizer, relative_path="tokenizer")
    splits, packed = {}, {}
    for split, texts in (("train", train), ("heldout", heldout)):
        rows, counts = _rows(texts, tokenizer, name, identity.special_ids.eos, seq_len)
        splits[split] = _write_split(folder, split, rows, counts, name, seq_len)
        packed[split] = counts
    manifest = Manifest(
        name=name,
        root="0" * 64,
        seed=1,
        seq_len=seq_len,
        lanes=1,
        layout="concat",
        tokenizer=identity,
        train=splits["train"],
        heldout=splits["heldout"],
        stages=(),
        recipe_fingerprint="0" * 64,
        code_version="benchmark",
        created_at="2026-01-01T00:00:00Z",
    )
    manifest = manifest.model_copy(update={"root": manifest_root(manifest)})
    (folder / MANIFEST_NAME).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    counted.write_text(json.dumps({split: asdict(c) for split, c in packed.items()}))
    return packed


def _rows(
    texts: Sequence[str], tokenizer: Path, name: str, mark: int, seq_len: int
) -> tuple[list[dict[str, Any]], PackedText]:
    documents = sorted(
        (hashlib.sha256(text.encode()).hexdigest()[:32], number, text)
        for number, text in enumerate(texts)
    )
    encodings = load_tokenizer(tokenizer).encode_batch_fast(
        [text for _, _, text in documents], add_special_tokens=False
    )
    ids: list[int] = []
    pieces: list[tuple[str, int, int]] = []  # document, start, length in the concatenation
    for (doc_id, _, _), encoding in zip(documents, encodings, strict=True):
        pieces.append((doc_id, len(ids), len(encoding.ids) + 1))
        ids += [mark, *encoding.ids]
    count = len(ids) // seq_len  # what does not fill a row is left out, and told by the counts
    rows = [
        _row(ids, segments, number, name, seq_len)
        for number, segments in enumerate(_segments(pieces, count, seq_len))
    ]
    kept = count * seq_len / len(ids)
    text_bytes = round(sum(len(text.encode()) for text in texts) * kept)
    characters = round(sum(len(text) for text in texts) * kept)
    return rows, PackedText(
        tokens=count * seq_len, characters=characters, text_bytes=text_bytes, rows=count
    )


def _segments(
    pieces: Sequence[tuple[str, int, int]], count: int, seq_len: int
) -> Iterator[list[tuple[str, int, int, int]]]:
    """The segments of each row: document, offset in it, offset in the row, length."""
    index = 0
    for number in range(count):
        begin, end = number * seq_len, (number + 1) * seq_len
        found = []
        while index < len(pieces) and pieces[index][1] < end:
            doc_id, start, length = pieces[index]
            first, last = max(start, begin), min(start + length, end)
            found.append((doc_id, first - start, first - begin, last - first))
            if start + length > end:
                break
            index += 1
        yield found


def _row(
    ids: list[int],
    segments: list[tuple[str, int, int, int]],
    number: int,
    name: str,
    seq_len: int,
) -> dict[str, Any]:
    end = (number + 1) * seq_len
    # The next document's mark is no continuation: the last segment decides.
    goes_on = end < len(ids) and ids[end] != ids[0]
    return {
        "row_id": hashlib.sha256(f"{name} {number}".encode()).hexdigest()[:16],
        "input_ids": ids[end - seq_len : end],
        "segments": [
            {
                "doc_id": doc_id, "source": name, "copy": 0, "doc_start": doc_start,
                "row_start": row_start, "length": length,
            }
            for doc_id, doc_start, row_start, length in segments
        ],
        "next_token": ids[end] if goes_on else NO_TOKEN,
    }  # fmt: skip


def _write_split(
    folder: Path,
    split: str,
    rows: list[dict[str, Any]],
    counts: PackedText,
    name: str,
    seq_len: int,
) -> Split:
    table = pa.Table.from_pylist(rows, schema=ROW_SCHEMA)
    path = folder / f"{split}-00000.parquet"
    with pq.ParquetWriter(path, ROW_SCHEMA, compression="zstd") as writer:
        for start in range(0, len(rows), ROWS_PER_GROUP):
            writer.write_table(table.slice(start, ROWS_PER_GROUP))
    shard = Shard(
        path=path.name,
        rows=len(rows),
        tokens=counts.tokens,
        padding=0,
        bytes=path.stat().st_size,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        content_sha256=content_sha256(table.combine_chunks().to_batches()),
        tokens_by_source={name: counts.tokens},
    )
    source = SourceSummary(
        weight=1.0 if split == "train" else None,
        documents=1,
        tokens=counts.tokens,
        text_bytes=counts.text_bytes,
        packed_tokens=counts.tokens,
        epochs=1.0,
    )
    account = TokenAccount(tokens_in=counts.tokens, packed=counts.tokens, dropped=0, padding=0)
    return Split(shards=(shard,), sources={name: source}, account=account)
