"""The funnel counts every fetch once, and says where rows were lost."""

from __future__ import annotations

from pathlib import Path

from refinery.report.data import SourceFunnel
from refinery.report.funnel import count_funnel, sums_that_must_hold
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
    tables = published_tables(
        tmp_path,
        {
            "ingest": {
                "fetches": [{"source": source} for source in fetches],
                "refetches": [{"source": "web"}],
            },
            "clean": {},
            "tokenise": {"fates": [{"doc_id": d, "source": s, "fate": f} for d, s, f in FATES]},
            "mixture": {"mixture": [{"source": "news", "copies": 0}]},
        },
        counts={"clean": {"left_out_by_sample": 1}},
    )

    funnel = count_funnel(tables, manifest(web=1))

    assert list(funnel) == ["news", "web"]
    assert funnel["web"] == SourceFunnel(
        fetches=5, refetched=1, sampled_out=1, documents=3, dropped=1, duplicate=1, kept=1, train=1
    )
    assert funnel["news"] == SourceFunnel(fetches=1, documents=1, kept=1, not_sampled=1)
    assert all(check.holds for check in sums_that_must_hold(funnel))


def test_a_lost_document_breaks_a_sum() -> None:
    lost = {"web": SourceFunnel(fetches=3, documents=3, kept=2, train=2)}

    broken = [check for check in sums_that_must_hold(lost) if not check.holds]

    assert [(check.left, check.right) for check in broken] == [(3, 2)]
    assert broken[0].claim.startswith("documents = kept + dropped")
