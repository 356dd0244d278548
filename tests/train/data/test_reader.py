"""Shards by row number: what is read, verified, cached and refused, by literal small tables."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import ContractError
from schemas.manifest import Shard
from schemas.rows import content_sha256, read_row_groups, row_schema
from train.data.loader import Prefetch
from train.data.remote import ShardFiles
from train.data.shards import Segment, ShardReader, file_sha256, verify_shard

SEQ = 4


def segment(doc: str, start: int, length: int, source: str = "web") -> dict[str, Any]:
    return {
        "doc_id": doc, "source": source, "copy": 0, "doc_start": 0, "row_start": start,
        "length": length,
    }  # fmt: skip


ROWS = [
    {"input_ids": [1, 2, 3, 4], "segments": [segment("a", 0, 4)], "next_token": 5},
    {
        "input_ids": [5, 9, 7, 0],
        "segments": [segment("a", 0, 1), segment("b", 1, 2, "zh")],
        "next_token": -1,
    },
    {"input_ids": [8, 8, 8, 8], "segments": [segment("c", 0, 4)], "next_token": -1},
]


def write_shard(path: Path, rows: Sequence[dict[str, Any]], *, group: int = 2) -> Shard:
    more = {"row_id": "0" * 16, "word_starts": [True, False, True, False], "is_next": 1}
    schema = row_schema(("word_starts", "is_next"))
    table = pa.Table.from_pylist([{**row, **more} for row in rows], schema=schema)
    pq.write_table(table, path, row_group_size=group)
    return Shard(
        path=path.name,
        rows=len(rows),
        tokens=SEQ * len(rows),
        padding=0,
        bytes=path.stat().st_size,
        tokens_by_source={},
        sha256=file_sha256(path),
        content_sha256=content_sha256(read_row_groups(path)),
    )


def reader(folder: Path, shards: Sequence[Shard], **more: Any) -> ShardReader:
    options = {"seq_len": SEQ, "sources": ("web", "zh"), **more}
    return ShardReader(ShardFiles(str(folder)), shards, **options)


@pytest.fixture
def shards(tmp_path: Path) -> list[Shard]:
    return [
        write_shard(tmp_path / "0.parquet", ROWS),
        write_shard(tmp_path / "1.parquet", ROWS[1:2]),
    ]


def test_a_row_is_found_in_its_shard_and_row_group(tmp_path: Path, shards: list[Shard]) -> None:
    rows = reader(tmp_path, shards)

    found = [
        (group.input_ids[index].tolist(), index) for group, index in map(rows.locate, range(4))
    ]

    assert found == [([1, 2, 3, 4], 0), ([5, 9, 7, 0], 1), ([8, 8, 8, 8], 0), ([5, 9, 7, 0], 0)]
    assert rows.num_rows == 4


def test_segments_are_numbers_in_the_group_and_names_on_demand(
    tmp_path: Path, shards: list[Shard]
) -> None:
    rows = reader(tmp_path, shards, extra_columns=("word_starts", "is_next"))
    group, _ = rows.locate(1)

    assert group.segment_offsets.tolist() == [0, 1, 3]
    assert group.segment_start.tolist() == [0, 0, 1]
    assert group.segment_length.tolist() == [4, 1, 2]
    assert group.segment_source.tolist() == [0, 0, 1]
    assert group.next_token.tolist() == [5, -1]
    assert group.extra["word_starts"].shape == (2, SEQ)
    assert group.extra["is_next"].tolist() == [1, 1]
    assert rows.segments(1) == [Segment(**one) for one in ROWS[1]["segments"]]  # type: ignore[attr-defined]


def test_row_groups_are_decoded_once_while_they_are_cached(
    tmp_path: Path, shards: list[Shard]
) -> None:
    rows = reader(tmp_path, shards, cache_groups=2)
    first, _ = rows.locate(0)

    assert rows.locate(1)[0] is first
    rows.locate(2)
    assert rows.locate(0)[0] is first  # used last, so the other group leaves next
    rows.locate(3)
    assert rows.locate(0)[0] is first
    rows.locate(2)
    rows.locate(3)
    assert rows.locate(0)[0] is not first


@pytest.mark.parametrize("how", ["file", "content", "none"])
def test_a_shard_is_verified_as_the_setting_says(
    tmp_path: Path, shards: list[Shard], how: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "0.parquet"
    pq.write_table(pq.read_table(path), path, compression="gzip")

    with caplog.at_level(logging.WARNING):
        verify_shard(path, shards[0], how=how)

    assert ("another file with the same rows" in caplog.text) == (how == "file")


@pytest.mark.parametrize("how", ["file", "content"])
def test_altered_rows_are_refused(tmp_path: Path, shards: list[Shard], how: str) -> None:
    write_shard(tmp_path / "0.parquet", ROWS[::-1])

    with pytest.raises(ContractError, match="the shard was altered"):
        verify_shard(tmp_path / "0.parquet", shards[0], how=how)
    verify_shard(tmp_path / "0.parquet", shards[0], how="none")


def test_faults_of_a_shard_are_named(tmp_path: Path, shards: list[Shard]) -> None:
    fewer = shards[0].model_copy(update={"rows": 2})

    with pytest.raises(ContractError, match="holds 3 rows, the manifest says 2"):
        reader(tmp_path, [fewer], verify="none").locate(0)
    with pytest.raises(ContractError, match="holds 8 tokens, expected 5 per row"):
        reader(tmp_path, shards, seq_len=5).locate(0)
    with pytest.raises(ContractError, match="a source that the manifest does not list"):
        reader(tmp_path, shards, sources=("web",)).locate(0)
    (tmp_path / "1.parquet").unlink()
    with pytest.raises(ContractError, match=r"1\.parquet: shard is missing"):
        reader(tmp_path, shards, verify="none").locate(3)


def test_the_thread_reads_a_bounded_number_ahead_and_passes_errors_on() -> None:
    def items() -> Any:
        yield from range(3)
        raise ContractError("the fourth")

    ahead = Prefetch(items(), depth=2)

    assert [next(ahead) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ContractError, match="the fourth"):
        next(ahead)
    ahead.close()
    assert list(Prefetch(iter("ab"), depth=1)) == ["a", "b"]
