"""Rows come back as they were written, and an altered shard is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from schemas.errors import ContractError
from schemas.manifest import Manifest, read_manifest
from tests.support.datasets import write_dataset
from train.data.config import LoaderConfig
from train.data.loader import SplitReader, open_split, shard_files


def opened(path: Path, verify: str = "file") -> SplitReader:
    config = LoaderConfig.model_validate({"verify": verify})
    manifest: Manifest = read_manifest(path)
    return open_split(shard_files(str(path), config), manifest, config, split="train", seed=1)


def test_rows_equal_what_pyarrow_reads(tmp_path: Path) -> None:
    path = write_dataset(tmp_path)
    tables = [pq.read_table(tmp_path / f"shard-0000{n}.parquet") for n in range(3)]
    expected = [row for table in tables for row in table.to_pylist()]
    data = opened(path)

    samples = np.array([0, 5, 95, 41], np.int64)
    rows = data.read(samples)

    numbers = data.cursor.rows(samples)
    for index, number in enumerate(numbers):
        record = expected[number]
        mine = rows.segment_row == index
        assert rows.input_ids[index].tolist() == record["input_ids"]
        assert rows.segment_start[mine].tolist() == [s["row_start"] for s in record["segments"]]
        assert rows.segment_length[mine].tolist() == [s["length"] for s in record["segments"]]
        names = [rows.sources[code] for code in rows.segment_source[mine]]
        assert names == [s["source"] for s in record["segments"]]
        assert [s.doc_id for s in data.reader.segments(int(number))] == [
            s["doc_id"] for s in record["segments"]
        ]


def test_altered_rows_are_refused_with_the_shard(tmp_path: Path) -> None:
    path = write_dataset(tmp_path)
    shard = tmp_path / "shard-00001.parquet"
    table = pq.read_table(shard)
    pq.write_table(table.slice(1).take([0, *range(table.num_rows - 1)]), shard)

    with pytest.raises(ContractError, match=r"shard-00001.parquet: rows have SHA-256"):
        opened(path).reader.locate(45)


def test_rewritten_file_with_equal_rows_is_accepted(tmp_path: Path) -> None:
    path = write_dataset(tmp_path)
    shard = tmp_path / "shard-00000.parquet"
    pq.write_table(pq.read_table(shard), shard, compression="gzip")

    group, index = opened(path).reader.locate(3)

    assert group.input_ids[index].shape == (16,)


def test_missing_shard_is_named(tmp_path: Path) -> None:
    path = write_dataset(tmp_path)
    (tmp_path / "shard-00002.parquet").unlink()

    with pytest.raises(ContractError, match=r"shard-00002.parquet: shard is missing"):
        opened(path).reader.locate(80)
