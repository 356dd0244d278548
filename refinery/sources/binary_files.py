"""Read small files on schemes that only Spark's connectors reach, whole, by `binaryFile`.

Workers stream everything that fsspec can open; this is the way for the rest (wasbs, abfss with a
cluster's keys, a vendor's own scheme). A file is one value in the JVM and one more in Python, so
large ones are refused.
"""

from __future__ import annotations

import fnmatch
import re

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from refinery.publish import storage
from refinery.sources.config import SourceConfig
from refinery.sources.listing import InputFile
from schemas.errors import SettingsError

MOST_BYTES = 64 << 20
_SCHEME = re.compile(r"^[A-Za-z][\w+.-]*:(?://[^/]*)?")


def needs_spark(source: SourceConfig) -> bool:
    """Whether the recipe asks for `binaryFile`, or fsspec has nothing for the source's scheme."""
    if source.reader is not None:
        return source.reader == "binary_file"
    try:
        storage.file_system(source.uri)
    except (ValueError, ImportError):
        return True
    return False


def whole_files(spark: SparkSession, source: SourceConfig) -> DataFrame:
    """(path, modificationTime, length, content) of all files below a source's URI."""
    return spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(source.uri)


def list_whole_files(spark: SparkSession, source: SourceConfig) -> list[InputFile]:
    """Files of a source with their hashes, sorted by their name relative to its root.

    Raises:
        SettingsError: No file matches the pattern, or one is too large to be read whole.
    """
    files = whole_files(spark, source)
    # Without `content` in the plan no file is opened.
    sizes = {row["path"]: row["length"] for row in files.select("path", "length").collect()}
    root = _SCHEME.sub("", source.uri).rstrip("/")
    names = {path: _SCHEME.sub("", path).removeprefix(root).lstrip("/") for path in sizes}
    wanted = {
        path: name or path.rsplit("/", 1)[-1]
        for path, name in names.items()
        if source.pattern in ("**", "*") or fnmatch.fnmatch(name, source.pattern)
    }
    if not wanted:
        raise SettingsError(
            f"source '{source.name}': no file matches '{source.pattern}' under {source.uri} "
            f"({len(sizes)} files there)"
        )
    for path in sorted(wanted):
        if sizes[path] > MOST_BYTES:
            raise SettingsError(
                f"source '{source.name}': {path} has {sizes[path]} bytes; files that Spark reads "
                f"whole have at most {MOST_BYTES}. Split it, or copy it to where fsspec reaches"
            )
    rows = files.where(F.col("path").isin(list(wanted))).select(
        "path", F.col("modificationTime").cast("string").alias("changed"),
        F.sha2("content", 256).alias("sha256"),
    ).collect()  # fmt: skip
    return sorted(
        InputFile(
            source.name, wanted[r["path"]], r["path"], sizes[r["path"]], r["changed"], r["sha256"]
        )
        for r in rows
    )
