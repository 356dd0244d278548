"""Parquet encodings of token ids on real text: bytes per token and decoding speed of one thread.

    python benchmarks/encodings.py --tokenizer DIR --text FILE.jsonl.gz ... [--megabytes 8]

`DIR` holds OpenAI's encoder.json and vocab.bpe. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tokenise import read_texts
from tokenizers import ByteLevelBPETokenizer

from schemas.rows import ROW_SCHEMA

SEQ_LEN, GROUP_ROWS = 2048, 256
COLUMN = "input_ids.list.element"
CHOICES: dict[str, dict[str, Any]] = {
    "dictionary": {"use_dictionary": True, "compression_level": 1},
    "dictionary, level 6": {"use_dictionary": True, "compression_level": 6},
    "plain, level 3": {"use_dictionary": False, "compression_level": 3},
    "byte stream split, level 3": {
        "use_dictionary": False,
        "compression_level": 3,
        "column_encoding": {COLUMN: "BYTE_STREAM_SPLIT"},
    },
    "delta, level 3": {
        "use_dictionary": False,
        "compression_level": 3,
        "column_encoding": {COLUMN: "DELTA_BINARY_PACKED"},
    },
}


def decode_seconds(stream: io.BytesIO) -> float:
    clock = time.process_time()
    file = pq.ParquetFile(stream)
    for group in range(file.num_row_groups):
        for chunk in file.read_row_group(group, use_threads=False).column(0).chunks:
            chunk.flatten().to_numpy()
    return time.process_time() - clock


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--text", nargs="+", type=Path, required=True)
    parser.add_argument("--megabytes", type=int, default=8)
    args = parser.parse_args()
    files = (str(args.tokenizer / name) for name in ("encoder.json", "vocab.bpe"))
    texts = read_texts(args.text, args.megabytes << 20)
    random.Random(1).shuffle(texts)
    encodings = ByteLevelBPETokenizer(*files).encode_batch(texts)
    ids = np.concatenate([np.asarray(encoding.ids, np.int32) for encoding in encodings])
    ids = ids[: len(ids) // SEQ_LEN * SEQ_LEN]
    field = ROW_SCHEMA.field("input_ids")
    offsets = pa.array(np.arange(0, len(ids) + 1, SEQ_LEN, dtype=np.int32))
    rows = pa.ListArray.from_arrays(offsets, pa.array(ids), type=field.type)
    table = pa.table([rows], schema=pa.schema([field]))
    found = {}
    for name, options in CHOICES.items():
        stream = io.BytesIO()
        pq.write_table(
            table,
            stream,
            row_group_size=GROUP_ROWS,
            compression="zstd",
            write_statistics=False,
            **options,
        )
        seconds = min(decode_seconds(stream) for _ in range(5))
        found[name] = {
            "bytes_per_token": round(stream.getbuffer().nbytes / len(ids), 3),
            "decode_tokens_per_core_second": round(len(ids) / seconds),
        }
    print(json.dumps({"benchmark": "encodings", "tokens": len(ids), "results": found}))


if __name__ == "__main__":
    main()
