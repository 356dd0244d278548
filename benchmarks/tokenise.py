"""Tokenising as the job does it against the library alone, in CPU seconds of one thread.

    python benchmarks/tokenise.py [--text FILE.jsonl.gz ...] [--megabytes 50] [--rounds 3]

Both sides see the same text, warm, alternating. The library's side is `encode_batch_fast` with its
results thrown away; the job's side is the whole Arrow function: strings from Arrow, edits, ids to
an Arrow list column. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1", OMP_NUM_THREADS="1")

import pyarrow as pa

from refinery.vocabulary.bpe import train_bpe, write_tokenizer
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.identity import load_tokenizer
from refinery.vocabulary.tokenise import tokenise_batch

BATCH_BYTES = 4 << 20
PIECE_CHARS = 6000


def read_texts(paths: list[Path], num_bytes: int) -> list[str]:
    """Documents of about a page each, repeated with other borders until there are enough bytes."""
    whole = []
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            whole += [json.loads(line)["text"] for line in stream]
    texts: list[str] = []
    size = shift = 0
    while size < num_bytes:
        for text in whole:
            for start in range(shift, len(text), PIECE_CHARS):
                piece = text[start : start + PIECE_CHARS]
                texts.append(piece)
                size += len(piece.encode())
        shift += 777
    return texts


def batches_of(texts: list[str]) -> list[pa.RecordBatch]:
    """Arrow batches as Spark hands them over."""
    batches, rows, size = [], [], 0
    for number, text in enumerate(texts):
        rows.append((f"{number:032x}", text))
        size += len(text.encode())
        if size >= BATCH_BYTES or number == len(texts) - 1:
            ids, column = zip(*rows, strict=True)
            kind = pa.list_(
                pa.struct(
                    [("start", pa.int32()), ("end", pa.int32()), ("replacement", pa.string())]
                )
            )
            batches.append(
                pa.RecordBatch.from_arrays(
                    [
                        pa.array(ids),
                        pa.array(["web"] * len(ids)),
                        pa.array([False] * len(ids)),
                        pa.array(column),
                        pa.nulls(len(ids), kind),
                    ],
                    ["doc_id", "source", "is_heldout", "text", "edits"],
                )
            )
            rows, size = [], 0
    return batches


def main() -> None:
    parser = argparse.ArgumentParser()
    data = Path(__file__).resolve().parents[2] / "shared" / "data" / "text"
    defaults = [data / name for name in ("books-en.jsonl.gz", "docs-zh.jsonl.gz")]
    parser.add_argument("--text", nargs="+", type=Path, default=defaults)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    texts = read_texts(args.text, args.megabytes << 20)
    size = sum(len(text.encode()) for text in texts)
    with tempfile.TemporaryDirectory() as scratch:
        config = VocabularyConfig(size=50_000)
        write_tokenizer(train_bpe(texts[::7], config), Path(scratch), config.sentinels)
        tokenizer = load_tokenizer(Path(scratch))
    batches = batches_of(texts)
    plain = [batch.column("text").to_pylist() for batch in batches]
    for warm in plain[:2]:
        tokenizer.encode_batch_fast(warm, add_special_tokens=False)
    library, job, tokens = [], [], 0
    for _ in range(args.rounds):
        clock = time.process_time()
        for column in plain:
            tokenizer.encode_batch_fast(column, add_special_tokens=False)
        library.append(time.process_time() - clock)
        clock = time.process_time()
        tokens = sum(
            len(tokenise_batch(batch, tokenizer).column("input_ids").flatten()) for batch in batches
        )
        job.append(time.process_time() - clock)
    print(
        json.dumps(
            {
                "benchmark": "tokenise",
                "megabytes": round(size / 2**20, 1),
                "tokens": tokens,
                "library_cpu_seconds": round(min(library), 2),
                "job_cpu_seconds": round(min(job), 2),
                "ratio": round(min(library) / min(job), 3),
                "megabytes_per_core_second": round(size / 2**20 / min(job), 2),
            }
        )
    )


if __name__ == "__main__":
    main()
