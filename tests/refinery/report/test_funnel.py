"""The funnel counts every fetch once, and says where rows were lost."""

from __future__ import annotations

from pathlib import Path

from refinery.report.data import SourceFunnel
from refinery.report.funnel import BYTES_PER_TOKEN, count_funnel, sums_that_must_hold
from schemas.manifest import Manifest
from tests.support.published import published_tables

FATES = [("a", "web", "kept"), ("b", "web", "duplicate"), ("c", "news", "kept"), ("d", "web", "dropped")]  # fmt: skip


def manifest(**train_documents: int) -> Manifest:
    """A manifest of which the funnel reads only the documents of each source."""
    source = {"tokens": 1, "text_bytes": 1, "packed_tokens": 1, "epochs": 1.0}
    account = {"tokens_in": 0, "packed": 0, "dropped": 0, "padding": 0}
    plain = {
        "name": "n", "root": "0" * 64, "seed": 1, "seq_len": 8, "lanes": 1, "layout": "concat",
        "tokenizer": {
            "path": "tokenizer", "sha256": "0" * 64, "vocab_size": 9,
            "special_ids": {"pad": 0, "eos": 1},
        },
        "train": {
            "shards": [], "account": account,
            "sources": {name: {**source, "documents": n} for name, n in train_documents.items()},
        },
        "heldout": {"shards": [], "account": account, "sources": {}},
        "stages": [], "recipe_fingerprint": "0" * 64, "code_version": "0", "created_at": "t",
    }  # fmt: skip
    return Manifest.model_validate(plain)


def test_each_document_is_counted_by_its_fate_and_split(tmp_path: Path) -> None:
    fetches = [source for _, source, _ in FATES] + ["web", "web"]
    size = {"a": 100, "b": 30, "c": 50, "d": 7}
    tables = published_tables(
        tmp_path,
        {
            "ingest": {
                "fetches": [{"source": source} for source in fetches],
                "refetches": [{"source": "web"}],
                "rejects": [{"source": "gone", "stage": "ingest"}, {"source": "web", "stage": "ingest"}],
            },
            "clean": {
                "ledger": [{"doc_id": d, "source": s, "num_bytes": size[d]} for d, s, _ in FATES]
            },
            "tokenise": {
                "fates": [{"doc_id": d, "source": s, "fate": f} for d, s, f in FATES],
                "tokens": [
                    {"doc_id": "a", "source": "web", "split": "train", "num_tokens": 20, "num_bytes": 80},
                    {"doc_id": "c", "source": "news", "split": "train", "num_tokens": 25, "num_bytes": 50},
                ],
            },
            "mixture": {"mixture": [{"doc_id": "a", "source": "web", "copies": 2},
                                    {"doc_id": "c", "source": "news", "copies": 0}]},
        },
        counts={"clean": {"left_out_by_sample": 1}},
        settings={"ingest": {"sources": [{"name": "empty"}, {"name": "web"}]}},
    )  # fmt: skip

    funnel = count_funnel(tables, manifest(web=1))

    assert list(funnel) == ["empty", "gone", "news", "web"], "sources that gave nothing have a row"
    assert funnel["gone"] == SourceFunnel(unreadable=1)
    assert funnel["web"] == SourceFunnel(
        unreadable=1, fetches=5, refetched=1, sampled_out=1, documents=3, dropped=1, duplicate=1,
        kept=1, train=1,
        text_bytes={"documents": 137, "kept": 100, "duplicate": 30, "dropped": 7, "train": 80, "edited": 20},
        # 4 bytes per token, as its tokenised document has.
        tokens={"documents": 34, "kept": 25, "duplicate": 8, "dropped": 2, "train": 20, "edited": 5},
    )  # fmt: skip
    assert funnel["news"] == SourceFunnel(
        fetches=1, documents=1, kept=1, not_sampled=1,
        text_bytes={"documents": 50, "kept": 50, "not_sampled": 50, "edited": 0},
        tokens={"documents": 25, "kept": 25, "not_sampled": 25, "edited": 0},
    )  # fmt: skip
    assert all(check.holds for check in sums_that_must_hold(funnel))


def test_an_unfinished_run_counts_fates_from_the_verdicts_so_far(tmp_path: Path) -> None:
    ledger = [{"doc_id": "a", "source": "web", "num_bytes": 10, "drop_reason": None},
              {"doc_id": "b", "source": "web", "num_bytes": 5, "drop_reason": "x:y"}]  # fmt: skip
    tables = published_tables(
        tmp_path,
        {"ingest": {"fetches": [{"source": "web"}] * 2}, "clean": {"ledger": ledger}},
        counts={"clean": {"left_out_by_sample": 0}},
    )

    funnel = count_funnel(tables, None)

    assert (funnel["web"].kept, funnel["web"].dropped, funnel["web"].train) == (1, 1, 0)
    assert funnel["web"].text_bytes == {"documents": 15, "kept": 10, "dropped": 5}
    assert funnel["web"].tokens["kept"] == round(10 / BYTES_PER_TOKEN)
    checks = sums_that_must_hold(funnel, finished=False)
    assert [check.holds for check in checks] == [True]


def test_a_lost_document_breaks_a_sum() -> None:
    lost = {"web": SourceFunnel(fetches=3, documents=3, kept=2, train=2)}

    broken = [check for check in sums_that_must_hold(lost) if not check.holds]

    assert [(check.left, check.right) for check in broken] == [(3, 2)]
    assert broken[0].claim.startswith("documents = kept + dropped")
