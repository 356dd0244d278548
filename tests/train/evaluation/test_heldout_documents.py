"""Intervals of held-out figures: documents are counted, not tokens."""

from __future__ import annotations

import pytest

from train.evaluation.heldout_documents import HeldoutDocuments, with_intervals
from train.statistics.intervals import ratio_interval

DOCUMENTS = HeldoutDocuments(
    names=("a", "b", "c", "d"),
    sources=("web", "web", "web", "zh"),
    losses=(20.0, 33.0, 10.0, 9.0),
    labels=(10, 15, 4, 3),
)


def _row(loss: float, bits: float | None) -> dict[str, float | None]:
    return {"loss": loss, "bits_per_byte": bits}


def test_a_source_has_the_interval_of_its_own_documents() -> None:
    figures = {**_row(2.25, 1.5), "sources": {"web": _row(63 / 29, 1.2), "zh": _row(3.0, None)}}

    found = with_intervals(figures, DOCUMENTS)

    web = found["sources"]["web"]
    expected = ratio_interval([20.0, 33.0, 10.0], [10, 15, 4])
    assert web["loss_interval"] == pytest.approx([expected.low, expected.high])
    low, high = web["bits_per_byte_interval"]
    assert low / 1.2 == pytest.approx(expected.low / expected.value)
    assert high - 1.2 == pytest.approx(1.2 - low)
    assert (web["documents"], found["documents"]) == (3, 4)
    assert "3 clusters" in web["warning"]


def test_one_document_tells_no_spread() -> None:
    figures = {**_row(2.25, 1.5), "sources": {"zh": _row(3.0, None), "rare": _row(1.0, None)}}

    found = with_intervals(figures, DOCUMENTS)

    assert found["sources"]["zh"]["loss_interval"] is None
    assert "bits_per_byte_interval" not in found["sources"]["zh"]
    assert "documents" not in found["sources"]["rare"]  # no label of it was read
