"""`refinery estimate RECIPE`: rows, bytes, shuffle and time, before a cluster is paid for.

The whole recipe runs on a hashed sample of its files on this machine; what it measured is scaled by
bytes. Near-duplicates are the part that does not scale: a larger corpus holds more of them.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import yaml
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from jobs import submit
from jobs.estimating import (
    Sample,
    StageEstimate,
    choose_sample,
    partitions,
    sample_recipe,
    scale,
    wall_seconds,
)
from refinery.recipe import load_recipe
from refinery.report.charts import number
from refinery.report.write import run_records
from schemas.errors import PipelineError

MEGABYTE = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("recipe", type=Path, help="settings file (YAML)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument(
        "--sample-mb", type=_positive, default=100, help="input to run on, in MB (default 100)"
    )
    parser.add_argument("--cores", type=_positive, default=64, help="of the cluster (default 64)")
    parser.add_argument("--json", action="store_true", help="one JSON object, for machines")


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got '{text}'")
    return number


def run(args: argparse.Namespace) -> int:
    """Run the sample, print the estimate."""
    settings = load_recipe(args.recipe, tuple(args.overrides))
    sample = choose_sample(settings.recipe, args.sample_mb * MEGABYTE)
    with tempfile.TemporaryDirectory(prefix="refinery-estimate-") as scratch:
        folder = Path(scratch)
        recipe = sample_recipe(settings.recipe, sample, folder / "input")
        output = str(folder / "output")
        path = folder / "recipe.yaml"
        runtime = settings.runtime.model_copy(update={"output": output, "partitions": 8})
        plain = {"recipe": recipe.model_dump(mode="json"), "runtime": runtime.model_dump()}
        path.write_text(yaml.safe_dump(plain, allow_unicode=True), encoding="utf-8")
        code = submit.main(["--recipe", str(path)])
        if code:
            raise PipelineError(f"the sample's run ended with exit code {code}; see above")
        records = run_records(output)[1]
    estimates = scale(records, sample.factor, os.cpu_count() or 1)
    answer = _answer(sample, estimates, args.cores)
    if args.json:
        print(json.dumps(answer))
    else:
        _print(sample, estimates, answer)
    return 0


def _answer(sample: Sample, estimates: list[StageEstimate], cores: int) -> dict[str, object]:
    return {
        "input_bytes": sum(sample.bytes_by_source.values()),
        "sample_bytes": sum(sample.sampled_by_source.values()),
        "factor": round(sample.factor, 3),
        "stages": [vars(estimate) for estimate in estimates],
        "cores": cores,
        "core_hours": round(sum(e.core_seconds for e in estimates) / 3600, 2),
        "seconds": round(wall_seconds(estimates, cores)),
        "written_bytes": sum(e.written_bytes for e in estimates),
        "partitions": partitions(estimates, cores),
    }


def _print(sample: Sample, estimates: list[StageEstimate], answer: dict[str, object]) -> None:
    console = Console()
    table = Table(
        title=f"all of the input: {number(sum(sample.bytes_by_source.values()))}B, "
        f"{sample.factor:,.1f} times the {len(sample.files)} sampled files",
        box=SIMPLE,
    )
    table.add_column("stage")
    for name in ("rows", "bytes written", "bytes shuffled", "core hours", "fixed s"):
        table.add_column(name, justify="right")
    for e in estimates:
        table.add_row(
            e.stage,
            f"{e.rows:,}",
            number(e.written_bytes),
            number(e.shuffle_bytes),
            f"{e.core_seconds / 3600:.2f}",
            f"{e.fixed_seconds:.0f}",
        )
    console.print(table)
    console.print(
        f"{answer['core_hours']} core hours; on {answer['cores']} cores about "
        f"{answer['seconds']:,} s; runtime.partitions: {answer['partitions']:,}; "
        f"{number(float(str(answer['written_bytes'])))}B of tables\n"
        "Core hours are of this machine's cores. Near-duplicates grow with the corpus, so dedup may "
        "take more."
    )
