"""Shards on an S3 store: a moto server in this process stands in for the real one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from schemas.errors import ContractError
from tests.support.datasets import write_dataset
from tests.support.object_store import moto_store
from train.data.config import LoaderConfig
from train.data.loader import open_split, shard_files
from train.data.remote import open_manifest


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    with moto_store(monkeypatch):
        fsspec.filesystem("s3").clear_instance_cache()
        try:
            system = fsspec.filesystem("s3")
            system.makedirs("data", exist_ok=True)
            folder = write_dataset(tmp_path / "local").parent
            for path in folder.iterdir():
                system.put_file(str(path), f"data/set/{path.name}")
            yield "s3://data/set"
        finally:
            fsspec.filesystem("s3").clear_instance_cache()


def test_rows_from_a_store_equal_local_ones_and_the_cache_is_bounded(
    store: str, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    sizes = [p.stat().st_size for p in (tmp_path / "local").glob("shard-*")]
    config = LoaderConfig(cache_dir=str(cache), cache_bytes=max(sizes) + min(sizes))
    samples = np.arange(96, dtype=np.int64)

    files = shard_files(f"{store}/manifest.json", config)
    remote = open_split(files, open_manifest(files), config, split="train", seed=1)
    read = remote.read(samples).input_ids

    here = shard_files(str(tmp_path / "local"), config)
    local = open_split(here, open_manifest(here), config, split="train", seed=1)
    assert np.array_equal(read, local.read(samples).input_ids)
    kept = [path for path in cache.iterdir() if path.name.endswith(".parquet")]
    assert 1 <= len(kept) < len(sizes)
    assert sum(path.stat().st_size for path in cache.iterdir()) <= max(sizes) + min(sizes)


def test_the_file_used_longest_ago_leaves_first(store: str, tmp_path: Path) -> None:
    sizes = [p.stat().st_size for p in (tmp_path / "local").glob("shard-*")]
    config = LoaderConfig(cache_dir=str(tmp_path / "cache"), cache_bytes=sum(sizes) - 1)
    files = shard_files(store, config)
    names = [f"shard-0000{number}.parquet" for number in range(3)]

    first, second = files.local(names[0]), files.local(names[1])
    time.sleep(0.01)
    files.local(names[0])  # used again
    third = files.local(names[2])

    assert first.exists()
    assert third.exists()
    assert not second.exists()


def test_what_is_not_in_the_store_is_named(store: str, tmp_path: Path) -> None:
    files = shard_files(store, LoaderConfig(cache_dir=str(tmp_path / "cache")))

    with pytest.raises(ContractError, match=r"s3://data/set/shard-00009.parquet: no such file"):
        files.local("shard-00009.parquet")
