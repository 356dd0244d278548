"""Whole runs in one session: marked duplicates, pairs and sentences for BERT, and noised copies."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jobs.pipeline.runner import RefineRun
from refinery.report.write import read_report
from refinery.sources.selection import HASH_BITS
from refinery.tokenizers.identity import load_tokenizer
from schemas.errors import SettingsError
from schemas.manifest import Manifest, read_manifest
from tests.support.whole import HELDOUT, SEED, refine, settings, table

ALIKE = 0.8


@pytest.fixture(scope="module")
def root(whole_root: Path) -> Path:
    return whole_root


@pytest.fixture(scope="module")
def marked(root: Path) -> RefineRun:
    packing = {"seq_len": 64, "layout": "next_sentence", "shard_tokens": 8_000}
    return refine(settings(root, packing=packing))


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = text.lower().replace(".", "").split()
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def _alike_pairs(run: RefineRun) -> list[tuple[str, str]]:
    """Near-duplicates among the kept documents, each compared with each."""
    kept = {row["doc_id"] for row in table(run, "tokenise", "tokens")}
    texts = {r["doc_id"]: r["text"] for r in table(run, "clean", "cleaned") if r["doc_id"] in kept}
    sets = {doc_id: _shingles(text) for doc_id, text in texts.items()}
    return [
        (a, b)
        for a, b in itertools.combinations(sorted(sets), 2)
        if len(sets[a] & sets[b]) >= ALIKE * len(sets[a] | sets[b])
    ]


def _own_side(doc_id: str) -> bool:
    """Where a document would lie by itself: the definition, once more."""
    digest = hashlib.sha256(f"{SEED + 1}\x1f{doc_id}".encode()).hexdigest()
    return int(digest[: HASH_BITS // 4], 16) < int(HELDOUT * 2**HASH_BITS)


def test_no_marked_pair_lies_on_both_sides_of_the_split(marked: RefineRun) -> None:
    side = {row["doc_id"]: row["split"] for row in table(marked, "tokenise", "tokens")}
    pairs = _alike_pairs(marked)

    apart = [pair for pair in pairs if side[pair[0]] != side[pair[1]]]

    assert len(pairs) > 60
    assert apart == []
    assert {"train", "heldout"} == set(side.values())
    assert any(_own_side(a) != _own_side(b) for a, b in pairs), "nothing was at stake"


def test_the_first_document_of_a_cluster_decides_for_all(marked: RefineRun) -> None:
    side = {row["doc_id"]: row["split"] for row in table(marked, "tokenise", "tokens")}
    clusters = {row["doc_id"]: row["first_id"] for row in table(marked, "dedup", "clusters")}
    duplicates = {row["doc_id"] for row in table(marked, "dedup", "duplicates")}

    wrong = [d for d, s in side.items() if (s == "heldout") != _own_side(clusters.get(d, d))]

    assert wrong == []
    assert not duplicates & set(clusters.values()), "nothing precedes the first one"
    assert len(clusters) == 12 * 6
    assert len(set(clusters.values())) == 12


def test_marked_documents_are_kept_and_counted(marked: RefineRun) -> None:
    duplicates = table(marked, "dedup", "duplicates")
    fates = {row["doc_id"]: row["fate"] for row in table(marked, "tokenise", "fates")}
    report = read_report(Path(marked.settings.runtime.output) / "report" / "report.json")

    assert len(duplicates) > 12
    assert set(fates.values()) == {"kept"}
    assert len(fates) == 132
    assert report.total("marked") == len(duplicates)
    assert report.total("duplicate") == 0
    assert report.dedup is not None
    assert report.dedup.mode == "mark"


def test_removal_leaves_no_pair_at_all(root: Path) -> None:
    # A model of its own: other documents are kept, so other words are counted.
    plain = settings(root, dedup={"num_bands": 56, "rows_per_band": 2}, packing={"seq_len": 64})
    run = refine(plain)

    assert _alike_pairs(run) == []
    assert len(table(run, "tokenise", "tokens")) < 132


@pytest.mark.parametrize(
    ("dedup", "wrong"),
    [
        ({"dumps": [["rows"], ["later"]]}, "dumps"),
        ({"earlier": ["runs/1"]}, "earlier"),
        ({"recurring": {"line_documents": 5}}, "recurring"),
        ({"max_source_loss": 0.5}, "max_source_loss"),
    ],
)
def test_what_needs_removal_is_refused_when_marking(dedup: dict[str, Any], wrong: str) -> None:
    with pytest.raises(SettingsError, match=f"leave out {wrong}"):
        settings(Path("none"), dedup={"mode": "mark", **dedup})


def _rows(run: RefineRun) -> tuple[Manifest, list[dict[str, Any]]]:
    folder = Path(run.settings.runtime.output) / "dataset"
    manifest = read_manifest(folder)
    rows = [r for s in manifest.train.shards for r in pq.read_table(folder / s.path).to_pylist()]
    return manifest, rows


def _balance(manifest: Manifest) -> None:
    for split in (manifest.train, manifest.heldout):
        drawn = sum(source.drawn_tokens for source in split.sources.values())
        account = split.account
        assert account.tokens_in + drawn == account.packed + account.dropped


def test_pairs_of_a_whole_run_are_two_real_halves(root: Path) -> None:
    packing = {"seq_len": 64, "layout": "next_sentence", "shard_tokens": 8_000}
    run = refine(settings(root, packing=packing))
    manifest, rows = _rows(run)
    ids = {row["doc_id"]: row["input_ids"] for row in table(run, "tokenise", "tokens")}
    cls, sep = manifest.tokenizer.special_ids.cls, manifest.tokenizer.special_ids.sep

    for row in rows:
        first, second = row["segments"]
        assert row["input_ids"][0] == cls
        assert row["input_ids"][second["row_start"] - 1] == sep
        for s in (first, second):
            found = row["input_ids"][s["row_start"] : s["row_start"] + s["length"]]
            assert found == ids[s["doc_id"]][s["doc_start"] : s["doc_start"] + s["length"]]
        # Long halves lose tokens at either end, so the second may begin a little later.
        follows = first["doc_id"] == second["doc_id"]
        assert row["is_next"] == follows
        assert not follows or first["doc_start"] + first["length"] <= second["doc_start"]
        assert row["segment_b_start"] == second["row_start"]
    _balance(manifest)
    share = sum(row["is_next"] for row in rows) / len(rows)
    assert len(manifest.train.shards) > 1
    assert 0.3 < share < 0.7


def test_rows_of_sentences_hold_whole_ones_of_one_document(root: Path) -> None:
    run = refine(settings(root, packing={"seq_len": 64, "layout": "sentences"}))
    manifest, rows = _rows(run)
    tokenizer = load_tokenizer(Path(run.settings.runtime.output) / "dataset" / "tokenizer")

    assert len(rows) > 50
    for row in rows:
        assert len({segment["doc_id"] for segment in row["segments"]}) == 1
        last = row["segments"][-1]
        content = row["input_ids"][: last["row_start"] + last["length"]]
        starts = [place for place, begins in enumerate(row["sentence_starts"]) if begins]
        assert starts[0] == 0
        assert tokenizer.decode(content).rstrip().endswith(".")
    _balance(manifest)


def test_noised_copies_differ_and_the_first_stays(root: Path) -> None:
    packing = {"seq_len": 64, "layout": "document", "noise": {"spelling": 0.1}}
    mixture = {"weights": {"rows": 1.0}, "budget_tokens": 60_000}
    run = refine(settings(root, packing=packing, mixture=mixture))
    manifest, rows = _rows(run)
    ids = {row["doc_id"]: row["input_ids"] for row in table(run, "tokenise", "tokens")}
    pieces: dict[tuple[str, int], list[int]] = {}
    for row in sorted(rows, key=lambda row: row["segments"][0]["doc_start"]):
        (s,) = row["segments"]
        pieces.setdefault((s["doc_id"], s["copy"]), []).extend(row["input_ids"][: s["length"]])

    eos = manifest.tokenizer.special_ids.eos
    same = {key: [*ids[key[0]], eos] == found for key, found in pieces.items()}

    assert all(is_same for (_, copy), is_same in same.items() if copy == 0)
    later = [is_same for (_, copy), is_same in same.items() if copy > 0]
    assert len(later) > 50
    assert not any(later)
    _balance(manifest)
