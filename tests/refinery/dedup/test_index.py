from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from refinery.dedup.index import groups_with, index_files


def test_files_are_found_by_bucket_over_several_indexes(tmp_path: Path) -> None:
    for run, bucket in (("1", 0), ("1", 3), ("2", 3)):
        folder = tmp_path / run / f"bucket={bucket}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"doc_id": ["a"]}), folder / "part.parquet")

    found = index_files([str(tmp_path / "1"), str(tmp_path / "2"), str(tmp_path / "absent")])

    assert {bucket: len(files) for bucket, files in found.items()} == {0: 1, 3: 2}
    assert all(pq.read_table(file).num_rows == 1 for files in found.values() for file in files)


def test_row_groups_without_a_candidate_are_not_read(tmp_path: Path) -> None:
    ids = [f"{i:04}" for i in range(100)]
    table = pa.table({"doc_id": ids, "other": list(range(100))})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=10)
    metadata = pq.read_metadata(tmp_path / "t.parquet")

    assert groups_with(metadata, ["0005", "0042", "0049"]) == [0, 4]
    assert groups_with(metadata, ["0019x", "9999"]) == []
