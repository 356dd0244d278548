from __future__ import annotations

from pathlib import Path

import pytest

from refinery.datasets.publish import dataset_card, make_split, refuse_other_dataset, write_dataset
from refinery.publish.storage import local_path
from schemas.errors import ContractError
from schemas.manifest import Shard, SourceSummary, read_manifest
from tests.support import datasets


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / "tokenizer.json").write_text("{}")
    return folder


def shard(tokens: int, padding: int = 0) -> Shard:
    return Shard(
        path="train-00000.parquet",
        rows=1,
        tokens=tokens,
        padding=padding,
        bytes=1,
        sha256="0" * 64,
        content_sha256="0" * 64,
        tokens_by_source={"web": tokens},
    )


def source(packed: int, dropped: int) -> SourceSummary:
    return SourceSummary(
        documents=1,
        tokens=packed,
        text_bytes=9,
        packed_tokens=packed,
        dropped_tokens=dropped,
        epochs=1.0,
    )


def test_account_adds_up_over_shards_and_sources() -> None:
    split = make_split([shard(8, 2), shard(6)], {"web": source(14, 3)}, tokens_in={"web": 17})

    account = split.account
    assert (account.packed, account.dropped, account.padding) == (14, 3, 2)


def test_lost_token_is_a_broken_contract() -> None:
    with pytest.raises(ContractError, match="17 tokens in \\+ 0 drawn != 14 packed \\+ 2 dropped"):
        make_split([shard(8), shard(6)], {"web": source(14, 2)}, tokens_in={"web": 17})


def test_tokens_of_one_source_do_not_pay_for_those_of_another() -> None:
    mixed = shard(14).model_copy(update={"tokens_by_source": {"web": 8, "books": 6}})
    sources = {"web": source(8, 3), "books": source(6, 0)}

    make_split([mixed], sources, tokens_in={"web": 11, "books": 6})
    with pytest.raises(ContractError, match="source 'web': 10 tokens in"):
        make_split([mixed], sources, tokens_in={"web": 10, "books": 7})
    swapped = {"web": source(6, 3), "books": source(8, 0)}
    with pytest.raises(ContractError, match="not the 8 in its shards"):
        make_split([mixed], swapped, tokens_in={"web": 9, "books": 8})


def test_folder_of_another_recipe_is_refused_with_both_fingerprints(tmp_path: Path) -> None:
    path = datasets.write_dataset(tmp_path)
    own = read_manifest(path).recipe_fingerprint

    refuse_other_dataset(str(tmp_path), own)
    with pytest.raises(ContractError, match=f"{own[:12]}.*{'a' * 12}"):
        refuse_other_dataset(str(tmp_path), "a" * 64)


def test_folder_without_a_manifest_is_not_refused(tmp_path: Path) -> None:
    refuse_other_dataset(str(tmp_path / "nothing"), "a" * 64)


def test_shards_of_a_dead_run_are_removed(tmp_path: Path, tokenizer: Path) -> None:
    folder = tmp_path / "dataset"
    manifest = read_manifest(datasets.write_dataset(folder))
    for name in ("train-00007.parquet", ".train-00001.parquet.4f2a", "notes.txt"):
        (folder / name).write_text("left over")
    (folder / "manifest.json").unlink()

    uri = write_dataset(str(folder), manifest, tokenizer)

    names = {path.name for path in folder.iterdir()}
    assert names == {
        *(f"shard-{number:05d}.parquet" for number in range(3)),
        "heldout-00000.parquet",
        "tokenizer",
        "README.md",
        "manifest.json",
        "notes.txt",
    }
    assert read_manifest(local_path(uri)) == manifest


def test_card_has_front_matter_and_the_root(tmp_path: Path) -> None:
    manifest = read_manifest(datasets.write_dataset(tmp_path))

    lines = dataset_card(manifest).splitlines()

    assert lines[0] == "---"
    assert "---" in lines[1:]
    assert any(manifest.root in line for line in lines)
