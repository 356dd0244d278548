"""Folders that are tables, which Spark reads: ORC files, Delta and Iceberg tables, and what a recipe says then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

# What a cluster lacks without `--packages`.
_PACKAGES = {
    "delta": "io.delta:delta-spark_2.13:VERSION --conf spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension",
    "iceberg": "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:VERSION",
}


@dataclass(frozen=True)
class TableFolder:
    """A folder that is one table of a format with a log of its own; its files are no input by themselves."""

    path: str
    format: str

    @property
    def note(self) -> str:
        """What people must do so that Spark can read it."""
        return (
            f"{self.path or 'the folder'} is a table of {self.format.capitalize()}: its Parquet files hold removed rows, "
            f"too, so `format: spark` reads it; give spark-submit --packages {_PACKAGES[self.format]}"
        )


def find_tables(names: Iterable[PurePath]) -> list[TableFolder]:
    """The tables among files, which are named relative to one root."""
    found: dict[str, str] = {}
    for name in names:
        parts = name.parts
        if "_delta_log" in parts[:-1]:
            found["/".join(parts[: parts.index("_delta_log")])] = "delta"
        elif len(parts) > 1 and parts[-2] == "metadata" and parts[-1].endswith(".metadata.json"):
            found["/".join(parts[:-2])] = "iceberg"
    return [TableFolder(path, kind) for path, kind in sorted(found.items())]
