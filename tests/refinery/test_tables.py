"""Rows of several tables: none is lost, whoever asks for batches and when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pytest

from refinery import tables
from refinery.tables import UnionRows


def _append_edits(rows: UnionRows, starts: Iterable[int]) -> None:
    for start in starts:
        rows.append("edits", doc_id="a", start=start, end=start + 1)


def _starts(batches: Iterable[pa.RecordBatch]) -> list[Any]:
    return [start for batch in batches for start in batch.column("start").to_pylist()]


def test_a_row_leaves_once_whenever_batches_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "FLUSH_ROWS", 3)
    asked_often, asked_once = UnionRows(("edits",)), UnionRows(("edits",))

    often: list[pa.RecordBatch] = []
    for start in range(8):
        _append_edits(asked_often, [start])
        often += asked_often.full_batches()
    often += asked_often.remaining_batches()
    _append_edits(asked_once, range(8))
    once = list(asked_once.remaining_batches())

    assert [batch.num_rows for batch in often] == [batch.num_rows for batch in once] == [3, 3, 2]
    assert _starts(often) == _starts(once) == list(range(8))
    assert list(asked_once.remaining_batches()) == []


def test_batches_that_nobody_takes_wait_for_the_next_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tables, "FLUSH_ROWS", 2)
    rows = UnionRows(("edits",))
    _append_edits(rows, range(5))

    rows.full_batches()  # an iterator that is dropped takes nothing with it
    first = next(rows.full_batches())

    assert _starts([first, *rows.remaining_batches()]) == list(range(5))


def test_a_batch_ends_at_its_bound_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "FLUSH_BYTES", 10)
    rows = UnionRows(("edits", "rejects"))

    rows.append("rejects", message="123456789")
    assert list(rows.full_batches()) == []
    rows.append("edits", reason="x")

    (full,) = rows.full_batches()
    assert full.column("table").to_pylist() == ["rejects", "edits"]


def test_a_column_of_another_table_is_refused() -> None:
    with pytest.raises(KeyError, match=r"table 'edits' has no column \['url'\]"):
        UnionRows(("edits", "cleaned")).append("edits", url="http://a/")
