"""`refinery export --recipe R --out FILE`: the kept text as JSONL or Parquet, with its origin."""

from __future__ import annotations

import argparse
import os
import uuid
from pathlib import Path

from refinery.export import EDIT_STAGES, export_rows, write_jsonl, write_parquet
from refinery.mixture.counted import newest_record
from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.recipe import load_recipe
from schemas.errors import ContractError, SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--recipe", type=Path, required=True, help="settings file of the run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--out", type=Path, required=True, help="a .jsonl or .parquet file")


def run(args: argparse.Namespace) -> int:
    """Export what the newest finished tokenising kept."""
    writers = {".jsonl": write_jsonl, ".parquet": write_parquet}
    if args.out.suffix not in writers:
        raise SettingsError(f"--out {args.out}: expected a name that ends in .jsonl or .parquet")
    settings = load_recipe(args.recipe, tuple(args.overrides))
    store = Store(storage.join_uri(settings.runtime.output, "tables"))
    tokens = newest_record(store, "tokenise")
    records = {name: _input(store, tokens, name) for name in EDIT_STAGES}
    clean = records["clean"]
    if clean is None:
        raise ContractError(f"{store.root}: tokenise names a cleaning that is not published")
    batches = export_rows(
        cleaned_uri=store.table_uri(clean, "cleaned"),
        tokens_uri=store.table_uri(tokens, "tokens"),
        edit_uris=[store.table_uri(record, "edits") for record in records.values() if record],
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    aside = args.out.with_name(f".{args.out.name}.{uuid.uuid4().hex}")
    try:
        with storage.disk_full_as_error(str(args.out)):
            count = writers[args.out.suffix](aside, batches)
        os.replace(aside, args.out)
    finally:
        aside.unlink(missing_ok=True)
    expected = tokens.tables["tokens"].rows
    if count != expected:
        raise ContractError(f"{args.out}: {count} documents written, {expected} were kept")
    print(f"{args.out}: {count:,} documents")
    return 0


def _input(store: Store, record: StageRecord, stage: str) -> StageRecord | None:
    fingerprint = record.inputs.get(stage)
    return store.record(stage, fingerprint) if fingerprint else None
