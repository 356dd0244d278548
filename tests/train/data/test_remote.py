"""Names in a store that somebody else wrote: none leads out of the cache."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from schemas.errors import ContractError
from tests.support.datasets import write_dataset
from train.data.remote import ShardFiles, local_tokenizer


def test_a_tokenizer_with_a_file_above_its_folder_is_refused(tmp_path: Path) -> None:
    store = fsspec.filesystem("memory")
    manifest = write_dataset(tmp_path / "dataset")
    store.pipe("/stranger/manifest.json", manifest.read_bytes())
    store.pipe("/stranger/tokenizer/tokenizer.json", b"{}")
    files = ShardFiles("memory://stranger", cache_dir=tmp_path / "cache")

    assert (local_tokenizer(files) / "tokenizer.json").read_bytes() == b"{}"

    store.pipe("/stranger/tokenizer/../../above", b"x")
    with pytest.raises(ContractError, match=r"'\.\./\.\./above' is no name of a file below it"):
        local_tokenizer(files)
    assert not (tmp_path / "above").exists()
