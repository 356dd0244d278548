"""`refinery estimate RECIPE`: rows, bytes, shuffle and time, before a cluster is paid for.

The whole recipe runs on a hashed sample of its files on this machine; what it measured is scaled by
bytes. Near-duplicates are the part that does not scale: a larger corpus holds more of them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from jobs.command.numbers import positive
from jobs.pipeline.arguments import add_recipe_arguments, read_settings
from jobs.pipeline.estimate import (
    DatasetEstimate,
    StageEstimate,
    partitions,
    scale,
    scale_dataset,
    training_growth,
    wall_seconds,
)
from jobs.pipeline.sample import Sample, choose_sample, sample_recipe
from jobs.pipeline.sample_factors import measure_factors, notes_on_sample
from jobs.spark.own_modules import with_own_modules
from refinery.preflight.checks import check_settings
from refinery.report.charts import number
from refinery.report.write import read_run_manifest, run_records
from schemas.errors import PipelineError
from schemas.terminal import open_console
from schemas.yaml_files import dump_yaml

MEGABYTE = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_arguments(parser)
    parser.add_argument(
        "--sample-mb", type=positive, default=100, help="input to run on, in MB (default 100)"
    )
    parser.add_argument("--cores", type=positive, default=64, help="of the cluster (default 64)")
    parser.add_argument("--json", action="store_true", help="one JSON object, for machines")


def run(args: argparse.Namespace) -> int:
    """Run the sample, print the estimate."""
    settings = read_settings(args)
    check_settings(settings, packs=False)
    sample = choose_sample(settings.recipe, args.sample_mb * MEGABYTE)
    with tempfile.TemporaryDirectory(prefix="refinery-estimate-") as scratch:
        folder = Path(scratch)
        recipe = sample_recipe(settings.recipe, sample, folder / "input")
        output = str(folder / "output")
        path = folder / "recipe.yaml"
        runtime = settings.runtime.model_copy(
            update={"output": output, "tables": None, "partitions": 8}
        )
        plain = {"recipe": recipe.model_dump(mode="json"), "runtime": runtime.model_dump()}
        path.write_text(dump_yaml(plain), encoding="utf-8")
        # A process of its own: its Spark ends with it.
        # Up to the dataset: a report of the sample, in a folder that goes, would be of no use.
        command = [sys.executable, "-m", "jobs.launch", str(path), "--until", "pack"]
        environment = {**os.environ, **with_own_modules()}
        code = subprocess.run(command, check=False, env=environment).returncode
        if code:
            raise PipelineError(f"the sample's run ended with exit code {code}; see above")
        store, records = run_records(output)
        manifest = read_run_manifest(output)
        factors = measure_factors(
            recipe, sample.factors, in_bytes=sample.factor, published=(store, records),
            manifest=manifest,
        )  # fmt: skip
    growth = training_growth(recipe, records, manifest, factors.text)
    estimates = scale(records, factors, os.cpu_count() or 1, growth)
    dataset = scale_dataset(manifest, factors, sample.factors, recipe.packing.shard_tokens)
    answer = _answer(sample, estimates, dataset, args.cores)
    if args.json:
        print(json.dumps(answer))
    else:
        _print(sample, estimates, dataset, answer)
    return 0


def _answer(
    sample: Sample, estimates: list[StageEstimate], dataset: DatasetEstimate, cores: int
) -> dict[str, object]:
    return {
        "input_bytes": sum(sample.bytes_by_source.values()),
        "sample_bytes": sum(sample.sampled_by_source.values()),
        "factor": round(sample.factor, 3),
        "factors": {name: round(factor, 3) for name, factor in sample.factors.items()},
        "notes": notes_on_sample(sample.files_by_source, sample.factors),
        "stages": [vars(estimate) for estimate in estimates],
        "dataset": vars(dataset),
        "cores": cores,
        "core_hours": round(sum(e.core_seconds for e in estimates) / 3600, 2),
        "seconds": round(wall_seconds(estimates, cores)),
        "written_bytes": sum(e.written_bytes for e in estimates) + dataset.bytes,
        "partitions": partitions(estimates, cores),
    }


def _print(
    sample: Sample,
    estimates: list[StageEstimate],
    dataset: DatasetEstimate,
    answer: dict[str, object],
) -> None:
    console = open_console()
    table = Table(
        title=f"all of the input: {number(sum(sample.bytes_by_source.values()))}B, "
        f"{sample.factor:,.1f} times the {len(sample.files)} sampled files",
        box=SIMPLE,
    )
    table.add_column("stage")
    table.add_column("rows", overflow="fold")
    for name in ("written", "shuffled", "core hours", "fixed s"):
        table.add_column(name, justify="right", no_wrap=True)
    for e in estimates:
        table.add_row(
            e.stage,
            "\n".join(f"{name} {number(rows)}" for name, rows in e.rows.items() if rows),
            f"{number(e.written_bytes)}B" if e.written_bytes else "",
            f"{number(e.shuffle_bytes)}B" if e.shuffle_bytes else "",
            f"{e.core_seconds / 3600:.2f}",
            f"{e.fixed_seconds:.0f}",
        )
    console.print(table)
    console.print(
        f"dataset: {number(dataset.documents)} documents, {number(dataset.tokens)} training tokens, "
        f"{number(dataset.rows)} rows, {number(dataset.bytes)}B in {dataset.shards:,} shards\n"
        f"{answer['core_hours']} core hours; on {answer['cores']} cores about "
        f"{answer['seconds']:,} s; runtime.partitions: {answer['partitions']:,}; "
        f"{number(float(str(answer['written_bytes'])))}B written\n"
        "Core hours are of this machine's cores. Near-duplicates grow with the corpus, so dedup may "
        "take more."
    )
    for note in notes_on_sample(sample.files_by_source, sample.factors):
        console.print(f"note: {note}", markup=False)
