"""The same packed rows through the loaders of litdata and mosaicml-streaming: a case for each.

    python -m benchmarks.races.loader_peers prepare FOLDER --manifest MANIFEST   # rows as FOLDER/rows.npy
    python -m benchmarks.races.loader_peers litdata FOLDER [--seconds 5]     # its chunks of tokens
    python -m benchmarks.races.loader_peers parquet FOLDER [--seconds 5]     # litdata on Parquet files
    python -m benchmarks.races.loader_peers streaming FOLDER [--seconds 5]   # MDS shards, in its own environment

As `benchmarks.train.loader`: CPU time of one process with one thread, no workers, warm local files, rows
in the library's shuffled order, whole passes until the time is over. What they yield is rows of
tokens alone; ours come with segments, sources and next tokens. Each is given the row as an array of
its own (int32): what it writes from it is its choice.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import argument_parser, record

CHUNK_BYTES = 1 << 24


def prepare(manifest: str, folder: Path) -> None:
    """Write the train split's tokens as one array, with our own loader."""
    from train.data.config import LoaderConfig
    from train.data.loader import open_split, shard_files
    from train.data.remote import open_manifest

    config = LoaderConfig(verify="none")
    files = shard_files(manifest, config)
    data = open_split(files, open_manifest(files), config, split="train", seed=1)
    folder.mkdir(parents=True, exist_ok=True)
    rows = data.read(np.arange(data.cursor.num_rows, dtype=np.int64)).input_ids
    np.save(folder / "rows.npy", rows.astype(np.int32))


def litdata(folder: Path, rows: np.ndarray[Any, Any]) -> Iterable[Any]:
    """Chunks of tokens as its documentation pretrains from, read block by block."""
    import torch
    from litdata import StreamingDataset, TokensLoader
    from litdata.streaming.writer import BinaryWriter

    target = folder / "litdata"
    if not (target / "index.json").exists():
        target.mkdir(parents=True, exist_ok=True)
        loader = TokensLoader(block_size=rows.shape[1])
        writer = BinaryWriter(str(target), chunk_bytes=CHUNK_BYTES, item_loader=loader)
        for number, row in enumerate(rows):
            writer[number] = torch.from_numpy(row.copy())
        writer.done()
        writer.merge()
    loader = TokensLoader(block_size=rows.shape[1])
    dataset: Iterable[Any] = StreamingDataset(str(target), item_loader=loader, shuffle=True, seed=1)
    return dataset


def parquet(folder: Path, rows: np.ndarray[Any, Any]) -> Iterable[Any]:
    """Parquet files with a column of lists, indexed and read by its ParquetLoader."""
    import litdata as library
    import pyarrow as pa
    import pyarrow.parquet as pq
    from litdata import StreamingDataset
    from litdata.streaming.item_loader import ParquetLoader

    target = folder / "parquet"
    if not (target / "index.json").exists():
        target.mkdir(parents=True, exist_ok=True)
        each = max(CHUNK_BYTES // (4 * rows.shape[1]), 1)
        for number, start in enumerate(range(0, len(rows), each)):
            part = rows[start : start + each]
            ids = pa.ListArray.from_arrays(
                pa.array(np.arange(len(part) + 1, dtype=np.int32) * rows.shape[1]),
                pa.array(part.reshape(-1)),
            )
            pq.write_table(pa.table({"input_ids": ids}), target / f"{number:05d}.parquet")
        library.index_parquet_dataset(str(target))
    dataset: Iterable[Any] = StreamingDataset(
        str(target), item_loader=ParquetLoader(), shuffle=True, seed=1
    )
    return dataset


def streaming(folder: Path, rows: np.ndarray[Any, Any]) -> Iterable[Any]:
    """MDS shards with an array column of fixed shape, shuffled by its default algorithm."""
    from streaming import MDSWriter, StreamingDataset
    from streaming.base.util import clean_stale_shared_memory

    target = folder / "mds"
    if not (target / "index.json").exists():
        columns = {"input_ids": f"ndarray:int32:{rows.shape[1]}"}
        with MDSWriter(out=str(target), columns=columns, size_limit=CHUNK_BYTES) as writer:
            for row in rows:
                writer.write({"input_ids": row})
    clean_stale_shared_memory()
    dataset: Iterable[Any] = StreamingDataset(
        local=str(target), shuffle=True, shuffle_seed=1, batch_size=32
    )
    return dataset


def row_of(item: Any) -> Any:
    """The tokens in what a library yields."""
    return item["input_ids"] if isinstance(item, dict) else item


def main() -> None:
    """Time whole passes of one library."""
    parser = argument_parser(__doc__)
    parser.add_argument("kind", choices=("prepare", "litdata", "parquet", "streaming"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--manifest", help="for prepare")
    parser.add_argument("--seconds", type=float, default=5.0)
    args = parser.parse_args()
    kind, folder, seconds = args.kind, args.folder, args.seconds
    if kind == "prepare":
        prepare(args.manifest, folder)
        return
    import torch

    torch.set_num_threads(1)
    rows = np.load(folder / "rows.npy")
    dataset = {"litdata": litdata, "parquet": parquet, "streaming": streaming}[kind](folder, rows)
    first = [np.asarray(row_of(item)) for item in dataset]  # warms the files; every row once
    expected = sorted(row.tobytes() for row in rows)
    is_whole = sorted(row.astype(np.int32).tobytes() for row in first) == expected
    started, tokens, passes = time.process_time(), 0, 0
    while time.process_time() - started < seconds:
        for item in dataset:
            tokens += len(row_of(item))
        passes += 1
    used = time.process_time() - started
    package = "mosaicml-streaming" if kind == "streaming" else "litdata"
    record(
        "loader_peers",
        {
            "package": f"{package} {importlib.metadata.version(package)}",
            "seq_len": int(rows.shape[1]),
            "rows": len(rows),
            "passes": passes,
            "every_row_once": is_whole,
            "tokens_per_core_second": round(tokens / used),
        },
        case=kind,
    )


if __name__ == "__main__":
    main()
