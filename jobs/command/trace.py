"""`refinery trace MANIFEST (--row N | --doc ID)`: what a row is made of, or where a document went.

One JSON line per answer on stdout; `--show` prints the row's text for people instead.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from rich.table import Table

from jobs.pipeline.arguments import dataset_named
from refinery.datasets.trace import (
    DatasetFolder,
    Origin,
    TracedRow,
    origins,
    trace_document,
    trace_row,
    verdict,
)
from schemas.errors import SettingsError
from schemas.terminal import open_console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "manifest",
        type=dataset_named,
        help="the run's recipe, its manifest.json, or the folder that holds it; path or URI",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--row", type=int, help="number of a packed row, across shards, from 0")
    what.add_argument("--doc", metavar="ID", help="doc_id of a document")
    parser.add_argument("--split", choices=("train", "heldout"), default="train", help="for --row")
    parser.add_argument("--show", action="store_true", help="a table with the text, for people")


def run(args: argparse.Namespace) -> int:
    """Trace a row or a document."""
    dataset = DatasetFolder.open(args.manifest)
    if args.doc is not None:
        rows: list[Mapping[str, object]] = [*trace_document(dataset, args.doc)]
        ended = verdict(dataset, args.doc)
        if not rows and "fate" not in ended:
            raise SettingsError(
                f"{args.manifest}: no row holds document '{args.doc}', and the run that made it has "
                "no such document"
            )
        # A document in no row was dropped, or not sampled: its one line says why.
        origin = _origin(origins(dataset, [args.doc]), args.doc)
        for row in rows or [{"doc_id": args.doc}]:
            print(json.dumps({**row, **origin, **ended}, ensure_ascii=False))
        return 0
    traced = trace_row(dataset, args.split, args.row)
    known = origins(dataset, [segment["doc_id"] for segment in traced["segments"]])
    if args.show:
        _show(dataset, traced, known)
    else:
        segments = [{**s, **_origin(known, s["doc_id"])} for s in traced["segments"]]
        print(json.dumps({**traced, "segments": segments}, ensure_ascii=False))
    return 0


def _origin(known: Mapping[str, Origin], doc_id: str) -> Mapping[str, object]:
    """What the ledger says of a document; nothing where the tables are gone."""
    return known.get(doc_id, {})


def _show(dataset: DatasetFolder, traced: TracedRow, known: Mapping[str, Origin]) -> None:
    from refinery.tokenizers.identity import load_tokenizer

    with dataset.stored.file(dataset.manifest.tokenizer.path) as folder:
        tokenizer = load_tokenizer(folder)
    table = Table(title=f"row {traced['row']} of {traced['split']} ({traced['shard']})")
    for name in ("source", "document", "tokens", "text"):
        table.add_column(name, overflow="fold")
    for segment in traced["segments"]:
        start = segment["row_start"]
        ids = traced["input_ids"][start : start + segment["length"]]
        span = f"{segment['doc_start']}..{segment['doc_start'] + segment['length']}"
        text = tokenizer.decode(ids, skip_special_tokens=False)
        origin = known.get(segment["doc_id"])
        url = origin["url"] if origin is not None else None
        table.add_row(segment["source"], url or segment["doc_id"], span, text)
    open_console(markup=False).print(table)
