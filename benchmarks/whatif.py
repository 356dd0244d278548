"""Seconds from process start to answer of `refinery whatif` on a ledger of a million rows.

    python benchmarks/whatif.py [--rows 1000000]

The ledger repeats real verdicts with shuffled values; written once into a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from refinery.filters.rules import checked_in_rules
from refinery.tables import arrow_schema
from schemas.tables import LEDGER

GROUP_ROWS = 100_000


def write_ledger(path: Path, rows: int) -> None:
    """Values around their bounds, so that many verdicts change."""
    schema = arrow_schema({column.name: column.type for column in LEDGER.columns})
    rules = checked_in_rules()["en"]
    names = list(dict.fromkeys(rule.value for rule in rules))
    random = np.random.default_rng(0)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, rows, GROUP_ROWS):
            size = min(GROUP_ROWS, rows - start)
            writer.write_table(_group(size, names, random, schema))


def _group(size: int, names: list[str], random: np.random.Generator, schema: pa.Schema) -> pa.Table:
    offsets = np.arange(size + 1, dtype=np.int32) * len(names)
    values = random.gamma(1.0, 0.05, (size, len(names)))
    values[:, names.index("words")] = random.integers(10, 2000, size)
    maps = pa.MapArray.from_arrays(offsets, pa.array(names * size), pa.array(values.ravel()))
    columns = {field.name: pa.nulls(size, field.type) for field in schema}
    columns.update(
        source=pa.array(random.choice(["web", "books", "zh"], size)),
        lang=pa.array(random.choice(["en", "zh", "de"], size)),
        lang_score=pa.array(random.uniform(0.4, 1, size).astype(np.float32)),
        num_bytes=pa.array(random.integers(100, 10_000, size)),
        values=maps,
        reasons=pa.array([["gopher:words"] if x else [] for x in random.random(size) < 0.2]),
    )
    return pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "part.parquet"
        write_ledger(ledger, args.rows)
        command = [sys.executable, "-m", "jobs.command.main", "whatif", str(ledger), "--json"]
        command[1:3] = ["-c", "from jobs.command.main import entry; entry()"]
        start = time.monotonic()
        subprocess.run(
            [*command, "--set", "rules.bounds={'gopher:words': {minimum: 100}}"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds = time.monotonic() - start
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        json.dumps(
            {
                "benchmark": "whatif",
                "rows": args.rows,
                "wall_seconds": round(seconds, 2),
                "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
                "peak_megabytes": usage.ru_maxrss // 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
