"""From a row to its documents and their origin, and back, against the tables read by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from jobs.command.main import main
from refinery.recipe import load_recipe
from refinery.report.write import run_records
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.manifest import Manifest, read_manifest

pytestmark = pytest.mark.slow

Rows = list[dict[str, Any]]


def _table(output: Path, stage: str, table: str) -> Rows:
    store, records = run_records(str(output))
    uri = store.table_uri(records[stage], table)
    if table not in records[stage].tables:
        return []
    rows: Rows = ds.dataset(uri, format="parquet").to_table().to_pylist()
    return rows


def _trace(output: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> Rows:
    assert main(["trace", str(output / "dataset"), *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def _rows(output: Path, split: str) -> Rows:
    folder = output / "dataset"
    shards = getattr(read_manifest(folder), split).shards
    return [row for shard in shards for row in pq.read_table(folder / shard.path).to_pylist()]


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_a_row_is_the_tokens_of_the_documents_it_names(
    undisturbed_output: Path, capsys: pytest.CaptureFixture[str], split: str
) -> None:
    tokens = {r["doc_id"]: r for r in _table(undisturbed_output, "tokenise", "tokens")}
    ledger = {r["doc_id"]: r for r in _table(undisturbed_output, "clean", "ledger")}
    eos = read_manifest(undisturbed_output / "dataset").tokenizer.special_ids.eos
    rows = _rows(undisturbed_output, split)

    for number in range(0, len(rows), 40):
        (traced,) = _trace(undisturbed_output, capsys, "--row", str(number), "--split", split)

        assert traced["input_ids"] == rows[number]["input_ids"]
        for segment in traced["segments"]:
            document, start = tokens[segment["doc_id"]], segment["doc_start"]
            whole = [*document["input_ids"], eos]
            place = slice(segment["row_start"], segment["row_start"] + segment["length"])
            assert traced["input_ids"][place] == whole[start : start + segment["length"]]
            origin = ledger[segment["doc_id"]]
            assert (document["split"], segment["source"]) == (split, origin["source"])
            assert segment["url"] == origin["url"]
            assert segment["scores"] == dict(origin["scores"])
            assert 0 <= segment["scores"]["quality"] <= 1


def test_a_document_leads_to_all_its_rows(
    undisturbed_output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places: dict[str, list[tuple[int, int, int]]] = {}
    for number, row in enumerate(_rows(undisturbed_output, "train")):
        for s in row["segments"]:
            places.setdefault(s["doc_id"], []).append((number, s["copy"], s["doc_start"]))
    doc_id = max(places, key=lambda name: (len(places[name]), name))

    traced = _trace(undisturbed_output, capsys, "--doc", doc_id)

    assert len(places[doc_id]) > 3
    found = [(row["row"], row["copy"], row["doc_start"]) for row in traced]
    assert sorted(found) == sorted(places[doc_id])
    assert {row["fate"] for row in traced} == {"kept"}


def test_a_document_in_no_row_says_why(
    undisturbed_output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    removed = _table(undisturbed_output, "dedup", "duplicates")[0]

    (line,) = _trace(undisturbed_output, capsys, "--doc", removed["doc_id"])

    assert line["fate"] == "duplicate"
    assert line["duplicate"]["kept_id"] == removed["kept_id"]
    assert line["duplicate"]["jaccard"] == removed["jaccard"]


def test_the_vocabulary_was_trained_on_training_documents_alone(
    corpus: Path, undisturbed_output: Path, undisturbed: Manifest, tmp_path: Path
) -> None:
    splits = {r["doc_id"]: r["split"] for r in _table(undisturbed_output, "tokenise", "tokens")}
    _, records = run_records(str(undisturbed_output))
    assert all("edits" not in record.tables for record in records.values()), "texts are as cleaned"
    texts = {
        row["doc_id"]: row["text"]
        for row in _table(undisturbed_output, "clean", "cleaned")
        if row["doc_id"] in splits
    }
    config = load_recipe(corpus).recipe.vocabulary
    files = {}
    for name, wanted in (("training", {"train"}), ("all", {"train", "heldout"})):
        chosen = [texts[d] for d in sorted(texts) if splits[d] in wanted]
        write_tokenizer(train_bpe(chosen, config), tmp_path / name, config.sentinels)
        files[name] = (tmp_path / name / "tokenizer.json").read_bytes()

    used = undisturbed_output / "dataset" / undisturbed.tokenizer.path / "tokenizer.json"

    assert used.read_bytes() == files["training"]
    assert used.read_bytes() != files["all"], "the held-out texts would have made a difference"
