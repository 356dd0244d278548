"""Shards that are missing, cut or unreadable are found without reading a row."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schemas.errors import ContractError
from schemas.manifest import read_manifest
from tests.support.datasets import write_dataset
from train.data.presence import absent_shards
from train.data.remote import ShardFiles
from train.loop.run import pretrain
from train.settings import TrainSettings


def faults(manifest: Path) -> list[str]:
    return absent_shards(ShardFiles(str(manifest.parent)), read_manifest(manifest).train.shards)


def test_whole_shards_are_all_there(tmp_path: Path) -> None:
    assert faults(write_dataset(tmp_path)) == []


def test_a_missing_and_a_cut_shard_are_named(tmp_path: Path) -> None:
    manifest = write_dataset(tmp_path)
    (tmp_path / "shard-00001.parquet").unlink()
    last = tmp_path / "shard-00002.parquet"
    last.write_bytes(last.read_bytes()[:-100])

    missing, cut = faults(manifest)

    assert missing == f"{tmp_path}/shard-00001.parquet: shard is missing"
    assert cut.startswith(f"{last}: shard is damaged: has ")


def test_a_shard_that_was_written_anew_with_its_rows_is_there(tmp_path: Path) -> None:
    manifest = write_dataset(tmp_path)
    path = tmp_path / "shard-00001.parquet"
    table = pq.read_table(path)
    pq.write_table(table, path, compression="none")
    assert faults(manifest) == []

    pq.write_table(table.slice(1), path)
    assert faults(manifest) == [f"{path}: shard has 24 rows, the manifest says 25"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_shard_without_permission_is_named(tmp_path: Path) -> None:
    manifest = write_dataset(tmp_path)
    (tmp_path / "shard-00001.parquet").chmod(0)

    assert faults(manifest) == [
        f"{tmp_path}/shard-00001.parquet: shard cannot be read (permission denied)"
    ]


def test_missing_objects_are_found_by_the_listing(tmp_path: Path) -> None:
    import fsspec

    manifest = read_manifest(write_dataset(tmp_path))
    memory = fsspec.filesystem("memory")
    memory.pipe({f"/presence/{shard.path}": b"" for shard in manifest.train.shards[1:]})

    found = absent_shards(ShardFiles("memory://presence"), manifest.train.shards)

    assert found == ["memory://presence/shard-00000.parquet: shard is missing"]


def test_a_run_whose_last_shard_is_missing_does_not_start(tmp_path: Path) -> None:
    manifest = write_dataset(tmp_path / "data")
    (tmp_path / "data" / "heldout-00000.parquet").unlink()
    settings = TrainSettings.model_validate(
        {
            "manifest": str(manifest),
            "output": str(tmp_path / "run"),
            "model": {"preset": "gpt2-test"},
            "batch": {"sequences": 4, "microbatch": 2},
            "stop": {"steps": 1},
        }
    )

    with pytest.raises(ContractError, match=r"heldout-00000.parquet: shard is missing"):
        pretrain(settings)

    assert not (tmp_path / "run" / "metrics.jsonl").exists()
