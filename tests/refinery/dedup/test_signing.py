from __future__ import annotations

import pyarrow as pa
import pytest

from refinery.dedup import signing
from refinery.dedup.config import DedupConfig
from refinery.dedup.lsh import with_bands


def test_groups_of_texts_change_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["one two three four five six", "", "数据质量很重要，去重也很重要", "one two three"]
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([str(place) for place in range(len(texts))]),
            pa.array(["web"] * len(texts)),
            pa.array(texts),
            pa.nulls(len(texts)),
        ],
        ["doc_id", "source", "text", "spans"],
    )
    config = with_bands(DedupConfig())

    def rows() -> tuple[int, list[dict[str, object]]]:
        found = list(signing._sign_batches(iter([batch]), config=config))
        return len(found), [row for one in found for row in one.to_pylist()]

    num_whole, whole = rows()
    monkeypatch.setattr(signing, "GROUP_BYTES", 10)
    num_parts, parts = rows()

    assert (num_whole, num_parts) == (1, 4)
    assert parts == whole
    assert [row["num_shingles"] for row in parts] == [2, 0, 9, 1]
