"""Export of large tables: Spark's executors write the kept documents as a folder of parts."""

from __future__ import annotations

import os
from pathlib import Path

from refinery.datasets.kept_texts import KeptTexts
from refinery.recipe import Runtime
from schemas.errors import SettingsError


def refuse_existing(out: Path) -> None:
    if out.exists():
        raise SettingsError(f"--out {out}: is there already")


def export_with_spark(runtime: Runtime, out: Path, kept: KeptTexts, compression: str) -> int:
    """Let executors write parts into a folder; an existing one is refused."""
    refuse_existing(out)
    from jobs.spark.java import find_java  # Spark starts only for large tables

    os.environ["JAVA_HOME"] = str(find_java().home)
    from jobs.spark.session import build_session
    from refinery.export.spark import kept_documents

    spark = build_session("export", runtime)
    rows = kept_documents(spark, kept)
    is_parquet = out.name.endswith(".parquet")
    kind = "parquet" if is_parquet else "json"
    codec = compression if is_parquet else {".gz": "gzip", ".zst": "zstd"}.get(out.suffix, "none")
    rows.write.format(kind).option("compression", codec).save(str(out))
    return int(spark.read.format(kind).load(str(out)).count())
