"""Read small files on schemes that only Spark's connectors reach, whole, by `binaryFile`.

Workers stream everything that fsspec can open; this is the way for the rest (wasbs, abfss with a
cluster's keys, a vendor's own scheme). A file is one value in the JVM and one more in Python, so
large ones are refused.
"""

from __future__ import annotations

import re

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from refinery.publish import storage
from refinery.sources.config import TABLE_FORMATS, SourceConfig
from refinery.sources.listing import InputFile, is_side_file, matches
from schemas.errors import SettingsError

MOST_BYTES = 64 << 20
_SCHEME = re.compile(r"^[A-Za-z][\w+.-]*:(?://[^/]*)?")


def needs_spark(source: SourceConfig) -> bool:
    """Whether the source is a table, the recipe asks for `binaryFile`, or fsspec has nothing for the source's scheme."""
    if source.format in TABLE_FORMATS:
        return True
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
    """Files of a source, sorted by their name relative to its root.

    Raises:
        SettingsError: No file matches the pattern, or one is too large to be read whole.
    """
    # Without `content` in the plan no file is opened.
    rows = whole_files(spark, source).select(
        "path", "length", F.col("modificationTime").cast("string").alias("changed")
    ).collect()  # fmt: skip
    root = _SCHEME.sub("", source.uri).rstrip("/")
    found = {
        _SCHEME.sub("", row["path"]).removeprefix(root).lstrip("/")
        or row["path"].rsplit("/", 1)[-1]: row
        for row in rows
    }
    files = sorted(
        InputFile(source.name, name, row["path"], row["length"], row["changed"])
        for name, row in found.items()
        if matches(name, source.pattern) and not is_side_file(name)
    )
    if not files and not source.may_be_empty:
        raise SettingsError(
            f"source '{source.name}': no file matches '{source.pattern}' under {source.uri} "
            f"({len(rows)} files there)"
        )
    for file in files:
        if file.size > MOST_BYTES:
            raise SettingsError(
                f"source '{source.name}': {file.uri} has {file.size} bytes; files that Spark reads "
                f"whole have at most {MOST_BYTES}. Split it, or copy it to where fsspec reaches"
            )
    return files
