"""Tables are told by their logs, wherever below a root they lie."""

from __future__ import annotations

from pathlib import PurePath

from refinery.sources.table_folders import TableFolder, find_tables


def test_logs_of_delta_and_iceberg_name_their_folders() -> None:
    names = [
        "a/_delta_log/0.json",
        "a/x.parquet",
        "b/c/metadata/v2.metadata.json",
        "metadata/x.json",
    ]

    assert find_tables(map(PurePath, names)) == [TableFolder("a", "delta"), TableFolder("b/c", "iceberg")]  # fmt: skip
    assert find_tables([PurePath("_delta_log/0.json")]) == [TableFolder("", "delta")]
