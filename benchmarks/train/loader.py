"""Tokens per core-second of the loader alone, warm local shards.

    python -m benchmarks.train.loader MANIFEST [--seconds 5]

CPU time of the process, one thread.
"""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa

from benchmarks.record import argument_parser, record
from train.data.config import LoaderConfig
from train.data.loader import open_split, shard_files
from train.data.remote import open_manifest

ROWS = 32


def main() -> None:
    """Read passes of the train split until the time is over."""
    parser = argument_parser(__doc__)
    parser.add_argument("manifest")
    parser.add_argument("--seconds", type=float, default=5.0)
    args = parser.parse_args()
    pa.set_cpu_count(1)
    seconds = args.seconds
    # Verification happens once in a run: not measured. Every pass decodes its row groups anew.
    config = LoaderConfig(verify="none")
    files = shard_files(args.manifest, config)
    manifest = open_manifest(files)
    started, rows = time.process_time(), 0
    while time.process_time() - started < seconds:
        data = open_split(files, manifest, config, split="train", seed=1)
        for first in range(0, data.cursor.num_rows - ROWS, ROWS):
            data.read(np.arange(first, first + ROWS, dtype=np.int64))
            rows += ROWS
        data.reader.close()
    used = time.process_time() - started
    rate = rows * manifest.seq_len / used
    record(
        "loader", {"seq_len": manifest.seq_len, "rows": rows, "tokens_per_core_second": round(rate)}
    )


if __name__ == "__main__":
    main()
