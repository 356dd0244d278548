"""How near `refinery estimate` comes: estimates from samples against the whole run of one recipe.

    python -m benchmarks.refinery.estimate RECIPE.yaml --sample-mb 10 --sample-mb 30

The recipe runs whole on this machine first, then the estimate is made from each sample and told this
machine's cores. Printed and stored in results/estimate.json: estimated over measured, for the dataset
and by stage. Times are those of an otherwise idle machine or they say little; rows and bytes do not
depend on it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.record import argument_parser, record
from refinery.publish.records import StageRecord
from refinery.report.write import read_run_manifest, run_records
from schemas.manifest import Manifest

LEAST_SECONDS, LEAST_BYTES, LEAST_ROWS = 1.0, 100_000, 20


def measured(records: dict[str, StageRecord], manifest: Manifest) -> dict[str, Any]:
    """What the whole run gave, in the form of an estimate."""
    splits = (manifest.train, manifest.heldout)
    shard_bytes = sum(shard.bytes for split in splits for shard in split.shards)
    stages: dict[str, dict[str, Any]] = {}
    for name, stage in records.items():
        assert stage.cost is not None
        stages[name] = {
            "rows": {table: summary.rows for table, summary in stage.tables.items()},
            "written_bytes": sum(table.bytes for table in stage.tables.values()),
            "shuffle_bytes": stage.cost.shuffle_bytes,
            "core_seconds": stage.cost.task_seconds,
        }
    return {
        "seconds": sum(stage.seconds for stage in records.values()),
        "written_bytes": sum(s["written_bytes"] for s in stages.values()) + shard_bytes,
        "dataset": {
            "documents": sum(s.documents for split in splits for s in split.sources.values()),
            "tokens": manifest.train.account.packed,
            "rows": sum(split.rows for split in splits),
            "bytes": shard_bytes,
        },
        "stages": stages,
    }


def compared(estimate: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """Estimated over measured, where what was measured is large enough to say something."""
    stages: dict[str, dict[str, float]] = {}
    for stage in estimate["stages"]:
        found = whole["stages"][stage["stage"]]
        ratios = {
            f"rows of {table}": stage["rows"][table] / rows
            for table, rows in found["rows"].items()
            if rows >= LEAST_ROWS and table in stage["rows"]
        }
        for name, least in (
            ("written_bytes", LEAST_BYTES),
            ("shuffle_bytes", LEAST_BYTES),
            ("core_seconds", LEAST_SECONDS),
        ):
            if found[name] >= least:
                ratios[name] = stage[name] / found[name]
        stages[stage["stage"]] = {name: round(ratio, 3) for name, ratio in ratios.items()}
    return {
        "sample_mb": round(estimate["sample_bytes"] / 1e6, 1),
        "factor": estimate["factor"],
        "seconds": round(estimate["seconds"] / whole["seconds"], 3),
        "written_bytes": round(estimate["written_bytes"] / whole["written_bytes"], 3),
        "dataset": {
            name: round(estimate["dataset"][name] / value, 3)
            for name, value in whole["dataset"].items()
        },
        "stages": stages,
    }


def estimated(recipe: Path, sample_mb: int, overrides: list[str]) -> dict[str, Any]:
    """The verb's own answer."""
    done = subprocess.run(
        [sys.executable, "-m", "jobs.command.main", "estimate", str(recipe), "--json",
         "--sample-mb", str(sample_mb), "--cores", str(os.cpu_count()), *overrides],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--sample-mb", type=int, action="append", required=True)
    parser.add_argument("--note", default="")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="estimate-") as scratch:
        overrides = ["--set", f"runtime.output={scratch}/out"]
        whole_run = [sys.executable, "-m", "jobs.launch", "--recipe", str(args.recipe), *overrides]
        subprocess.run(whole_run, check=True)
        output = f"{scratch}/out"
        whole = measured(run_records(output)[1], read_run_manifest(output))
        estimates = [estimated(args.recipe, size, overrides) for size in args.sample_mb]
    result = {
        "input_mb": round(estimates[0]["input_bytes"] / 1e6, 1),
        "whole": {name: whole[name] for name in ("seconds", "written_bytes", "dataset")},
        "estimated_over_measured": [compared(estimate, whole) for estimate in estimates],
        "note": args.note,
    }
    record("estimate", result)


if __name__ == "__main__":
    main()
