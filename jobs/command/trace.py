"""`refinery trace MANIFEST (--row N | --doc ID)`: what a row is made of, or where a document went.

One JSON line per answer on stdout; `--show` prints the row's text for people instead.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from refinery.datasets.trace import DatasetFolder, origins, trace_document, trace_row, verdict
from schemas.errors import SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("manifest", type=Path, help="manifest.json, or the folder that holds it")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--row", type=int, help="number of a packed row, across shards, from 0")
    what.add_argument("--doc", metavar="ID", help="doc_id of a document")
    parser.add_argument("--split", choices=("train", "heldout"), default="train", help="for --row")
    parser.add_argument("--show", action="store_true", help="a table with the text, for people")


def run(args: argparse.Namespace) -> int:
    """Trace a row or a document."""
    dataset = DatasetFolder.open(args.manifest)
    if args.doc is not None:
        rows = list(trace_document(dataset, args.doc))
        origin = origins(dataset, [args.doc]).get(args.doc, {}) | verdict(dataset, args.doc)
        if not rows and "fate" not in origin:
            raise SettingsError(
                f"{args.manifest}: no row holds document '{args.doc}', and the run that made it has "
                "no such document"
            )
        # A document in no row was dropped, or not sampled: its one line says why.
        for row in rows or [{"doc_id": args.doc}]:
            print(json.dumps({**row, **origin}, ensure_ascii=False))
        return 0
    traced = trace_row(dataset, args.split, args.row)
    known = origins(dataset, [segment["doc_id"] for segment in traced["segments"]])
    traced["segments"] = [{**s, **known.get(s["doc_id"], {})} for s in traced["segments"]]
    if args.show:
        _show(dataset, traced)
    else:
        print(json.dumps(traced, ensure_ascii=False))
    return 0


def _show(dataset: DatasetFolder, traced: dict[str, Any]) -> None:
    from refinery.tokenizers.identity import load_tokenizer

    tokenizer = load_tokenizer(dataset.folder / dataset.manifest.tokenizer.path)
    table = Table(title=f"row {traced['row']} of {traced['split']} ({traced['shard']})")
    for name in ("source", "document", "tokens", "text"):
        table.add_column(name, overflow="fold")
    for segment in traced["segments"]:
        start = segment["row_start"]
        ids = traced["input_ids"][start : start + segment["length"]]
        span = f"{segment['doc_start']}..{segment['doc_start'] + segment['length']}"
        text = tokenizer.decode(ids, skip_special_tokens=False)
        table.add_row(segment["source"], segment.get("url") or segment["doc_id"], span, text)
    Console(markup=False).print(table)
