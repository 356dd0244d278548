"""`refinery export --recipe R --out FILE`: the kept text as JSONL or Parquet, with its origin.

Small tables are streamed in this process; above a size, Spark writes a folder of parts.
"""

from __future__ import annotations

import argparse
import os
import uuid
from pathlib import Path

from jobs.pipeline.arguments import add_recipe_arguments, read_settings
from refinery.export.rows import EDIT_STAGES, export_rows, write_jsonl, write_parquet
from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.runs import stages_of
from refinery.publish.store import Store
from refinery.recipe import RefineSettings
from schemas.errors import ContractError, SettingsError

SPARK_ABOVE_BYTES = 4_000_000_000
WRITERS = {".jsonl": write_jsonl, ".parquet": write_parquet}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_arguments(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="a .jsonl or .parquet file; a folder where Spark writes",
    )
    parser.add_argument(
        "--spark-above",
        type=int,
        metavar="BYTES",
        default=SPARK_ABOVE_BYTES,
        help="size of the `cleaned` table from which Spark does it (default %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Export what the newest finished tokenising kept."""
    if args.out.suffix not in WRITERS:
        raise SettingsError(f"--out {args.out}: expected a name that ends in .jsonl or .parquet")
    settings = read_settings(args)
    published = stages_of(settings.runtime.output, settings.runtime.tables)
    store = published.store
    tokens = published.record("tokenise")
    records = {name: _input(store, tokens, name) for name in EDIT_STAGES}
    clean = records["clean"]
    if clean is None:
        raise ContractError(f"{store.root}: tokenise names a cleaning that is not published")
    uris = [store.table_uri(clean, "cleaned"), store.table_uri(tokens, "tokens")]
    edit_uris = [store.table_uri(record, "edits") for record in records.values() if record]
    if clean.tables["cleaned"].bytes > args.spark_above:
        count = _export_with_spark(settings, args.out, uris, edit_uris)
    else:
        count = _export_here(args.out, uris, edit_uris)
    expected = tokens.tables["tokens"].rows
    if count != expected:
        raise ContractError(f"{args.out}: {count} documents written, {expected} were kept")
    print(f"{args.out}: {count:,} documents")
    return 0


def _export_here(out: Path, uris: list[str], edit_uris: list[str]) -> int:
    """Stream into a file beside the target, then rename."""
    batches = export_rows(cleaned_uri=uris[0], tokens_uri=uris[1], edit_uris=edit_uris)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    try:
        with storage.disk_full_as_error(str(out)):
            count = WRITERS[out.suffix](aside, batches)
        os.replace(aside, out)
    finally:
        aside.unlink(missing_ok=True)
    return count


def _export_with_spark(
    settings: RefineSettings, out: Path, uris: list[str], edit_uris: list[str]
) -> int:
    """Let executors write parts into a folder; an existing one is refused."""
    if out.exists():
        raise SettingsError(f"--out {out}: is there already")
    from jobs.spark.java import find_java  # Spark starts only for large tables

    os.environ["JAVA_HOME"] = str(find_java().home)
    from jobs.spark.session import build_session
    from refinery.export.spark import export_documents
    from schemas.tables import CLEANED, EDITS, TOKENS

    spark = build_session("export", settings.runtime)
    found = [uri for uri in edit_uris if storage.exists(uri)]
    edits = (
        spark.read.schema(EDITS.ddl).parquet(*found)
        if found
        else spark.createDataFrame([], EDITS.ddl)
    )
    rows = export_documents(
        spark.read.schema(CLEANED.ddl).parquet(uris[0]),
        spark.read.schema(TOKENS.ddl).parquet(uris[1]),
        edits,
    )
    kind = "json" if out.suffix == ".jsonl" else "parquet"
    rows.write.format(kind).save(str(out))
    return int(spark.read.format(kind).load(str(out)).count())


def _input(store: Store, record: StageRecord, stage: str) -> StageRecord | None:
    fingerprint = record.inputs.get(stage)
    return store.record(stage, fingerprint) if fingerprint else None
