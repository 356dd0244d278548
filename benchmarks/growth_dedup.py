"""Growth of the dedup stage: time and memory at 1x, 4x and 16x of the same kind of text.

Generated documents (`texts.py`), half English and half Chinese by bytes, so that the larger corpus
holds the smaller one. Each size runs in a process and a Spark of its own, with a heap of 1 GB.
Prints one JSON line; "of linear" is the time of the stage against that of the smallest size, times
the size. Rows are kept in FOLDER, so that sizes can be measured one at a time.

    python benchmarks/growth_dedup.py FOLDER [--mb 125] [--times 1 4 16]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from texts import write_parquet

SEED = 1
MAX_WORKER_MB = 512


def measure(folder: Path, times: int, mb: int, cores: int) -> dict[str, Any]:
    """Generate one size, run the stage over it and remove its output."""
    corpus, output = folder / f"corpus-{times}", folder / f"output-{times}"
    num_bytes = times * mb * 1_000_000
    if not corpus.exists():
        half = {"en": num_bytes // 2, "zh": num_bytes // 2}
        write_parquet(corpus, seed=SEED, num_bytes=half)
    shutil.rmtree(output, ignore_errors=True)
    script = Path(__file__).with_name("dedup_stage.py")
    command = [sys.executable, str(script), str(corpus), str(output), "--cores", str(cores)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    shutil.rmtree(output)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    del result["duplicates"]
    load = round(os.getloadavg()[0], 1)
    return {"times": times, "text_mb": times * mb, "load_average": load, **result}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="scratch; corpora stay there")
    parser.add_argument("--mb", type=int, default=125)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    for times in args.times:
        row = measure(args.folder, times, args.mb, args.cores)
        (args.folder / f"row-{times:03}.json").write_text(json.dumps(row))
    rows = [json.loads(path.read_text()) for path in sorted(args.folder.glob("row-*.json"))]
    first = rows[0]
    for row in rows:
        scale = row["times"] / first["times"]
        row["of_linear"] = round(row["stage_seconds"] / (first["stage_seconds"] * scale), 2)
        row["cpu_of_linear"] = round(row["cpu_seconds"] / (first["cpu_seconds"] * scale), 2)
        row["workers_fit"] = row["worker_peak_mb"] <= MAX_WORKER_MB
    print(json.dumps({"benchmark": "growth_dedup", "cores": args.cores, "rows": rows}))


if __name__ == "__main__":
    main()
