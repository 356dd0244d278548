from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from refinery.packing.config import PackingConfig
from refinery.packing.shard_builder import ShardBuilder
from refinery.packing.shard_rows import PackedShard, ShardForm
from refinery.packing.write_shards import write_shard
from schemas.errors import ContractError
from schemas.rows import ROW_SCHEMA

EOS, PAD = 1, 0
DOCUMENTS = [
    ("a", "web", [10, 11, 12]),
    ("b", "books", list(range(20, 40))),
    ("c", "web", [50, 51]),
]


def build(*, layout: str = "concat", keep_tail: bool = False, groups: int = 2) -> PackedShard:
    config = PackingConfig(seq_len=8, layout=layout, row_group_rows=groups)  # type: ignore[arg-type]
    builder = ShardBuilder(ShardForm(config=config, eos=EOS, pad=PAD, keep_tail=keep_tail))
    for doc_id, source, ids in DOCUMENTS:
        builder.add(doc_id=doc_id, source=source, copy=0, input_ids=np.array(ids, np.int32))
    return builder.finish()


def rows_of(shard: PackedShard) -> list[dict[str, object]]:
    return [row for batch in shard.row_groups() for row in batch.to_pylist()]


def test_rows_are_cut_from_the_stream_with_end_marks() -> None:
    stream = [t for _, _, ids in DOCUMENTS for t in [*ids, EOS]]

    rows = rows_of(build())

    expected = [stream[i : i + 8] for i in range(0, len(stream) - 7, 8)]
    assert sorted(row["input_ids"] for row in rows) == sorted(expected)  # type: ignore[type-var]


def test_next_token_follows_in_the_document_only() -> None:
    by_first = {row["input_ids"][0]: row["next_token"] for row in rows_of(build())}  # type: ignore[index]

    # Row 0 ends inside b (next is 24), row 1 too (32); row 2 ends with b's last token, next is eos.
    assert by_first == {10: 24, 24: 32, 32: EOS}


def test_account_is_exact_by_source() -> None:
    shard = build()

    assert shard.tokens_in_by_source() == {"books": 21, "web": 7}
    assert shard.tokens_by_source() == {"books": 20, "web": 4}
    assert shard.dropped_by_source() == {"books": 1, "web": 3}


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"doc_start": [0, 0, 3, 12]}, "document b: token 3 or one of the 8 .* is in two rows"),
        ({"length": [4, 4, 8, 10]}, "document b: token 12 or one of the 10 .* is in no document"),
    ],
)
def test_a_token_in_two_rows_or_in_no_document_is_a_broken_contract(
    changed: dict[str, list[int]], wrong: str
) -> None:
    shard = build()  # a and 4 tokens of b, 8 of b, 8 of b; one of b and all of c are left out
    arrays = {name: np.array(places, np.int64) for name, places in changed.items()}
    cut = dataclasses.replace(shard, segments=dataclasses.replace(shard.segments, **arrays))

    with pytest.raises(ContractError, match=wrong):
        cut.dropped_by_source()


def test_kept_tail_is_padded_and_nothing_is_left_out() -> None:
    shard = build(keep_tail=True)

    tail = next(row for row in rows_of(shard) if row["segments"][0]["doc_start"] == 20)  # type: ignore[index]
    assert shard.tokens_by_source() == shard.tokens_in_by_source()
    assert tail["input_ids"] == [EOS, 50, 51, EOS, PAD, PAD, PAD, PAD]
    assert tail["next_token"] == -1


def test_row_group_size_changes_the_file_but_not_the_content(tmp_path: Path) -> None:
    small = write_shard(tmp_path / "s.parquet", "s", build(groups=1))
    large = write_shard(tmp_path / "l.parquet", "s", build(groups=100))

    assert small.content_sha256 == large.content_sha256
    assert pq.ParquetFile(tmp_path / "s.parquet").num_row_groups == 3
    assert pq.ParquetFile(tmp_path / "l.parquet").num_row_groups == 1


def test_files_of_equal_rows_are_equal(tmp_path: Path) -> None:
    first = write_shard(tmp_path / "1.parquet", "s", build())
    second = write_shard(tmp_path / "2.parquet", "s", build())

    assert first == second


def test_rows_come_in_the_order_of_their_ids_and_have_the_schema() -> None:
    batches = list(build(layout="document").row_groups())

    ids = pa.Table.from_batches(batches).column("row_id").to_pylist()
    assert batches[0].schema.equals(ROW_SCHEMA)
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_shard_without_a_full_row_writes_an_empty_file(tmp_path: Path) -> None:
    config = PackingConfig(seq_len=64)
    builder = ShardBuilder(ShardForm(config=config, eos=EOS, pad=PAD, keep_tail=False))
    builder.add(doc_id="a", source="web", copy=0, input_ids=np.array([5, 6], np.int32))

    shard = write_shard(tmp_path / "e.parquet", "e", builder.finish())

    assert (shard.rows, shard.tokens, shard.tokens_by_source) == (0, 0, {})
