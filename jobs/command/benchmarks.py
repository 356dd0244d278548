"""`refinery benchmarks --recipe R`: what is registered, and what the corpus holds of it."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from jobs.pipeline.arguments import add_recipe_arguments, read_settings
from jobs.stages.benchmarks import ITEMS
from refinery.decontaminate.facts import DecontaminateFacts
from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.runs import stages_of
from schemas.terminal import open_console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_arguments(parser)
    parser.add_argument(
        "--output", metavar="items.jsonl", help="copy the items there, for evaluation"
    )


def run(args: argparse.Namespace) -> int:
    """Print items by benchmark; those of the newest decontamination of the recipe's output."""
    settings = read_settings(args)
    published = stages_of(settings.runtime.output, settings.runtime.tables)
    store = published.store
    record = published.record("decontaminate")
    path = storage.local_copy(store.artefact_uri(record, ITEMS))
    _print(record, path)
    if args.output is not None:
        storage.replace(args.output, path.read_bytes())
        Console().print(args.output)
    return 0


def _print(record: StageRecord, path: Path) -> None:
    found: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    with path.open(encoding="utf-8") as lines:
        for item in map(json.loads, lines):
            found[item["benchmark"]] += bool(item["documents"])
            answers[item["benchmark"]] += item["answer"] is not None
    heads = ("benchmark", "items", "n", "whole line", "not searched", "found", "can be scored")
    table = Table(*heads, box=SIMPLE, padding=(0, 1, 0, 0))
    for name, row in record.facts_of(DecontaminateFacts).coverage.items():
        missed = f"{row.uncovered:,} ({row.share:.1%})"
        counts = (row.items, row.ngram_tokens, row.whole_line)
        table.add_row(
            name, *(f"{n:,}" for n in counts), missed, f"{found[name]:,}", f"{answers[name]:,}"
        )
    open_console().print(table)
