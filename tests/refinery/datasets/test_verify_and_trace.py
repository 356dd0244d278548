from __future__ import annotations

import functools
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs.command.main import main
from refinery.datasets.trace import DatasetFolder, trace_document, trace_row
from refinery.datasets.verify import verify_dataset
from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import sha256_files
from schemas.manifest import manifest_root, read_manifest
from tests.support.datasets import write_dataset


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = write_dataset(tmp_path / "dataset")
    tokenizer = path.parent / "tokenizer"
    tokenizer.mkdir(exist_ok=True)
    (tokenizer / "tokenizer.json").write_text("{}")
    read = read_manifest(path)
    digest = sha256_files([tokenizer / "tokenizer.json"], base=tokenizer)
    identity = read.tokenizer.model_copy(update={"sha256": digest})
    read = read.model_copy(update={"tokenizer": identity})
    read = read.model_copy(update={"root": manifest_root(read)})
    path.write_text(read.model_dump_json())
    return path


@pytest.mark.parametrize("jobs", [1, 3])
def test_untouched_dataset_passes(manifest: Path, jobs: int) -> None:
    result = verify_dataset(manifest, num_jobs=jobs)

    assert (result.num_shards, result.num_rows, result.differences) == (4, 108, ())


def test_one_changed_token_is_named_with_its_shard(manifest: Path) -> None:
    shard = manifest.parent / "shard-00001.parquet"
    table = pq.read_table(shard)
    rows = table.to_pylist()
    rows[3]["input_ids"][2] += 1
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), shard)

    differences = verify_dataset(manifest).differences

    assert {d.where for d in differences} == {"shard-00001.parquet"}
    assert "SHA-256 of the rows" in {d.what for d in differences}


def test_rewritten_file_with_equal_rows_differs_in_the_file_only(manifest: Path) -> None:
    shard = manifest.parent / "shard-00000.parquet"
    pq.write_table(pq.read_table(shard), shard, compression="snappy")

    whats = {d.what for d in verify_dataset(manifest).differences}

    assert "SHA-256 of the file" in whats
    assert "SHA-256 of the rows" not in whats


@pytest.mark.parametrize("damage", ["missing", "cut", "unlisted", "tokenizer"])
def test_damage_gives_exit_code_3(
    manifest: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = manifest.parent / "shard-00002.parquet"
    if damage == "missing":
        shard.unlink()
    elif damage == "cut":
        shard.write_bytes(shard.read_bytes()[:-100])
    elif damage == "unlisted":
        (manifest.parent / "shard-00009.parquet").write_bytes(shard.read_bytes())
    else:
        (manifest.parent / "tokenizer" / "tokenizer.json").write_text("{ }")

    code = main(["verify", str(manifest)])

    expected = {"unlisted": "shard-00009.parquet", "tokenizer": "tokenizer"}
    assert code == 3
    assert capsys.readouterr().err.startswith(expected.get(damage, "shard-00002.parquet"))


@pytest.mark.parametrize(
    ("place", "what"),
    [
        (("account", "dropped"), "dropped tokens of its sources"),
        (("account", "drawn"), "drawn tokens of its sources"),
        (("account", "control"), "special tokens of its shards"),
        (("account", "padding"), "padding of its shards"),
        (("account", "tokens_in"), "packed + dropped - drawn tokens"),
        (("sources", "web", "packed_tokens"), "packed tokens by source"),
    ],
)
def test_numbers_beside_the_root_that_do_not_add_up_are_named(
    manifest: Path, place: tuple[str, ...], what: str
) -> None:
    data = json.loads(manifest.read_text())
    *folders, last = place
    entry = functools.reduce(dict.__getitem__, folders, data["train"])
    entry[last] += 1
    manifest.write_text(json.dumps(data))

    found = verify_dataset(manifest).differences

    assert ("train", what) in {(d.where, d.what) for d in found}


def test_edited_manifest_is_refused(manifest: Path) -> None:
    manifest.write_text(manifest.read_text().replace('"vocab_size":97', '"vocab_size":98'))

    with pytest.raises(ContractError, match="edited after it was written"):
        verify_dataset(manifest)


def test_row_number_counts_across_shards(manifest: Path) -> None:
    traced = trace_row(DatasetFolder.open(manifest), "train", 40 + 24)

    row = pq.read_table(manifest.parent / "shard-00001.parquet").to_pylist()[24]
    assert (traced["shard"], traced["row_in_shard"]) == ("shard-00001.parquet", 24)
    assert traced["segments"] == row["segments"]
    assert traced["input_ids"] == row["input_ids"]


def test_document_leads_back_to_its_row(manifest: Path) -> None:
    dataset = DatasetFolder.open(manifest)
    doc_id = trace_row(dataset, "train", 77)["segments"][0]["doc_id"]

    assert [(r["split"], r["row"]) for r in trace_document(dataset, doc_id)] == [("train", 77)]


def test_row_beyond_the_end_is_an_error_with_the_range(manifest: Path) -> None:
    with pytest.raises(SettingsError, match="rows 0 to 95"):
        trace_row(DatasetFolder.open(manifest), "train", 96)


def test_trace_prints_one_json_line(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(manifest), "--row", "0", "--split", "heldout"]) == 0

    printed = json.loads(capsys.readouterr().out)
    assert printed["shard"] == "heldout-00000.parquet"
