"""Packing and decoding of shards, in CPU seconds of one thread.

    python -m benchmarks.refinery.pack [--tokens 20000000] [--vocabulary 50000] [--row-group-rows 256]

By default the tokens are drawn from Zipf's law over the vocabulary in random order (no structure
that a compressor could use beyond the frequencies). `--text` takes real text instead: a byte-level
BPE of that size is trained on a seventh of it. `--dataset` measures an existing dataset. One
case for each.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.corpora.text_files import read_repeated
from benchmarks.record import argument_parser, record
from refinery.packing.config import PackingConfig
from refinery.packing.shard_builder import ShardBuilder
from refinery.packing.shard_rows import ShardForm
from refinery.packing.write_shards import write_shard
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe
from schemas.manifest import read_manifest

MEAN_DOCUMENT_TOKENS = 900


def decode(path: Path) -> tuple[int, float]:
    """Tokens and CPU seconds of reading all ids as numpy arrays, row group by row group."""
    clock, tokens = time.process_time(), 0
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            column = file.read_row_group(group, columns=["input_ids"], use_threads=False).column(0)
            for chunk in column.chunks:
                tokens += len(chunk.flatten().to_numpy())
    return tokens, time.process_time() - clock


def draw(num_tokens: int, vocabulary: int) -> np.ndarray:
    """Ids by Zipf's law with exponent 1."""
    rng = np.random.default_rng(0)
    cumulative = np.cumsum(1 / np.arange(1, vocabulary + 1))
    ranks = np.searchsorted(cumulative, rng.random(num_tokens) * cumulative[-1])
    ids: np.ndarray = rng.permutation(vocabulary).astype(np.int32)[ranks]
    return ids


def encode(paths: list[Path], num_tokens: int, vocabulary: int) -> np.ndarray:
    """Ids of real text."""
    texts = read_repeated(paths, num_tokens * 4)
    config = VocabularyConfig(size=vocabulary)
    tokenizer = train_bpe(texts[::7], config)
    encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return np.concatenate([np.asarray(encoding.ids, np.int32) for encoding in encodings])


def measure_pack(args: argparse.Namespace, folder: Path) -> tuple[Path, dict[str, float]]:
    if args.text:
        ids = encode(args.text, args.tokens, args.vocabulary)
        args.tokens = len(ids)
    else:
        ids = draw(args.tokens, args.vocabulary)
    rng = np.random.default_rng(1)
    cuts = np.sort(rng.integers(0, args.tokens, args.tokens // MEAN_DOCUMENT_TOKENS))
    config = PackingConfig(row_group_rows=args.row_group_rows, layout=args.layout)
    clock = time.process_time()
    builder = ShardBuilder(ShardForm(config=config, eos=1, pad=0, keep_tail=False))
    for number, piece in enumerate(np.split(ids, cuts)):
        builder.add(doc_id=f"{number:032x}", source="web", copy=0, input_ids=piece)
    path = folder / "train-00000.parquet"
    shard = write_shard(path, path.name, builder.finish())
    seconds = time.process_time() - clock
    return path, {
        "pack_tokens_per_core_second": round(args.tokens / seconds),
        "bytes_per_token": round(shard.bytes / (shard.tokens + shard.padding), 3),
    }


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--tokens", type=int, default=20_000_000)
    parser.add_argument("--vocabulary", type=int, default=50_000)
    parser.add_argument("--row-group-rows", type=int, default=256)
    parser.add_argument("--layout", default="concat")
    parser.add_argument("--text", nargs="+", type=Path, help="JSONL files, gzipped, with `text`")
    parser.add_argument("--dataset", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if args.dataset is None:
            path, found = measure_pack(args, Path(scratch))
            paths = [path]
        else:
            shards = read_manifest(args.dataset).train.shards
            paths = [args.dataset / shard.path for shard in shards]
            size = sum(shard.bytes for shard in shards)
            tokens = sum(shard.tokens + shard.padding for shard in shards)
            found = {"bytes_per_token": round(size / tokens, 3)}
        pa.set_cpu_count(1)
        rates = []
        for _ in range(5):  # the first reads warm the page cache
            measured = [decode(path) for path in paths]
            rates.append(sum(m[0] for m in measured) / sum(m[1] for m in measured))
    found["decode_tokens_per_core_second"] = round(max(rates))
    kind = "dataset" if args.dataset else "text" if args.text else "Zipf tokens"
    case = f"{kind}, {args.layout}, {args.row_group_rows} rows in a group"
    record("pack", found, case=case)


if __name__ == "__main__":
    main()
