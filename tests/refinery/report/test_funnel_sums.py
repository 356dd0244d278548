"""Every document has one fate, and the sums of a page hold or say that rows were lost."""

from __future__ import annotations

from pathlib import Path

from refinery.publish.store import Store
from refinery.report.data import SourceFunnel
from refinery.report.funnel import sums_that_must_hold
from refinery.report.vocabulary import viewer_page, vocabulary_numbers

WEB = SourceFunnel(
    fetches=12, refetched=1, sampled_out=1, documents=10, rejected=1, excluded=1, dropped=2,
    duplicate=1, contaminated=1, kept=4, train=2, heldout=1, not_sampled=1,
)  # fmt: skip


def test_sums_hold_over_all_sources() -> None:
    checks = sums_that_must_hold({"web": WEB, "books": WEB})

    assert [(check.left, check.right) for check in checks] == [(24, 24), (20, 20), (8, 8)]


def test_a_lost_document_breaks_a_sum() -> None:
    lost = WEB.model_copy(update={"dropped": 1})

    assert [check.holds for check in sums_that_must_hold({"web": lost})] == [True, False, True]


def test_a_run_without_a_tokenizer_shows_none(tmp_path: Path) -> None:
    store = Store(str(tmp_path))

    assert vocabulary_numbers(store, {}, ["text"]) is None
    assert viewer_page(store, {}, ["text"]) is None
