"""Export of large tables: Spark's executors write the kept documents as a folder of parts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from refinery.publish import storage
from refinery.recipe import RefineSettings
from schemas.errors import SettingsError


@dataclass(frozen=True)
class ExportTables:
    """URIs of the tables that an export reads."""

    cleaned: str
    tokens: str
    edits: tuple[str, ...]
    fetches: str | None


def refuse_existing(out: Path) -> None:
    if out.exists():
        raise SettingsError(f"--out {out}: is there already")


def export_with_spark(
    settings: RefineSettings, out: Path, tables: ExportTables, compression: str
) -> int:
    """Let executors write parts into a folder; an existing one is refused."""
    refuse_existing(out)
    from jobs.spark.java import find_java  # Spark starts only for large tables

    os.environ["JAVA_HOME"] = str(find_java().home)
    from jobs.spark.session import build_session
    from refinery.export.spark import export_documents
    from schemas.tables import CLEANED, EDITS, FETCHES, TOKENS

    spark = build_session("export", settings.runtime)
    found = [uri for uri in tables.edits if storage.exists(uri)]
    edits = (
        spark.read.schema(EDITS.ddl).parquet(*found)
        if found
        else spark.createDataFrame([], EDITS.ddl)
    )
    has_fetches = tables.fetches is not None and storage.exists(tables.fetches)
    rows = export_documents(
        spark.read.schema(CLEANED.ddl).parquet(tables.cleaned),
        spark.read.schema(TOKENS.ddl).parquet(tables.tokens),
        edits,
        spark.read.schema(FETCHES.ddl).parquet(tables.fetches)
        if has_fetches
        else spark.createDataFrame([], FETCHES.ddl),
    )
    is_parquet = out.name.endswith(".parquet")
    kind = "parquet" if is_parquet else "json"
    codec = compression if is_parquet else {".gz": "gzip", ".zst": "zstd"}.get(out.suffix, "none")
    rows.write.format(kind).option("compression", codec).save(str(out))
    return int(spark.read.format(kind).load(str(out)).count())
