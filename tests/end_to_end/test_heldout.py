"""The held-out split holds nothing that training has seen, judged by brute force."""

from __future__ import annotations

from pathlib import Path

import pyarrow.dataset as ds
import pytest

from refinery.report.write import run_records

pytestmark = pytest.mark.slow

SHINGLE_CHARS = 12
ALIKE = 0.8


def _shingles(text: str) -> set[str]:
    """Runs of characters: another measure than the one that dedup removes by."""
    return {text[start : start + SHINGLE_CHARS] for start in range(len(text) - SHINGLE_CHARS + 1)}


def _table(uri: str, columns: list[str]) -> list[dict[str, object]]:
    return ds.dataset(uri, format="parquet").to_table(columns=columns).to_pylist()


def test_no_near_duplicate_of_a_training_document_is_held_out(undisturbed_output: Path) -> None:
    store, records = run_records(str(undisturbed_output))
    tokens = _table(store.table_uri(records["tokenise"], "tokens"), ["doc_id", "split", "source"])
    cleaned = _table(store.table_uri(records["clean"], "cleaned"), ["doc_id", "text"])
    shingles = {str(row["doc_id"]): _shingles(str(row["text"])) for row in cleaned}
    train = [shingles[str(row["doc_id"])] for row in tokens if row["split"] == "train"]
    heldout = [shingles[str(row["doc_id"])] for row in tokens if row["split"] == "heldout"]

    most = max(len(a & b) / len(a | b) for a in heldout for b in train)

    assert len(heldout) > 10
    assert len(train) > 200
    assert most < ALIKE


def test_a_document_that_was_removed_would_have_been_found_by_this_measure(
    undisturbed_output: Path,
) -> None:
    store, records = run_records(str(undisturbed_output))
    cleaned = _table(store.table_uri(records["clean"], "cleaned"), ["doc_id", "text"])
    shingles = {str(row["doc_id"]): _shingles(str(row["text"])) for row in cleaned}
    removed = _table(store.table_uri(records["dedup"], "duplicates"), ["doc_id", "kept_id"])
    pairs = [(shingles[str(row["doc_id"])], shingles[str(row["kept_id"])]) for row in removed]

    assert min(len(a & b) / len(a | b) for a, b in pairs) >= ALIKE


def test_every_source_holds_out_about_its_share(undisturbed_output: Path) -> None:
    store, records = run_records(str(undisturbed_output))
    tokens = _table(store.table_uri(records["tokenise"], "tokens"), ["split", "source"])
    for source in {row["source"] for row in tokens}:
        splits = [row["split"] for row in tokens if row["source"] == source]

        share = splits.count("heldout") / len(splits)

        # Asked: a tenth; of about 70 documents, three standard deviations are 0.11.
        assert 0 < share < 0.21, source
