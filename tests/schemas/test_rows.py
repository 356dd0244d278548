from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import ContractError
from schemas.rows import ROW_SCHEMA, content_sha256, read_row_groups

ROWS = [
    {
        "row_id": "0" * 16,
        "input_ids": [5, 6, 7, 1],
        "segments": [
            {
                "doc_id": "d1",
                "source": "网",
                "copy": 0,
                "doc_start": 0,
                "row_start": 0,
                "length": 4,
            }
        ],
        "next_token": -1,
    },
    {
        "row_id": "1" * 16,
        "input_ids": [8, 9, 10, 11],
        "segments": [
            {
                "doc_id": "d2",
                "source": "s",
                "copy": 1,
                "doc_start": 4,
                "row_start": 0,
                "length": 2,
            },
            {
                "doc_id": "d3",
                "source": "s",
                "copy": 0,
                "doc_start": 0,
                "row_start": 2,
                "length": 2,
            },
        ],
        "next_token": 12,
    },
]


def table(rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=ROW_SCHEMA)


def test_digest_is_the_documented_one() -> None:
    """An own encoding of docs/manifest.md, section "Content of a shard"."""

    def ints(*values: int) -> str:
        return hashlib.sha256(struct.pack(f"<{len(values)}i", *values)).hexdigest()

    def text(value: str) -> str:
        return hashlib.sha256(value.encode()).hexdigest()

    columns = {
        "input_ids": ints(5, 6, 7, 1, 8, 9, 10, 11),
        "input_ids.lengths": ints(4, 4),
        "next_token": ints(-1, 12),
        "segments.copy": ints(0, 1, 0),
        "segments.doc_id": text("d1d2d3"),
        "segments.doc_id.lengths": ints(2, 2, 2),
        "segments.doc_start": ints(0, 4, 0),
        "segments.length": ints(4, 2, 2),
        "segments.lengths": ints(1, 2),
        "segments.row_start": ints(0, 0, 2),
        "segments.source": text("网ss"),
        "segments.source.lengths": ints(3, 1, 1),
    }
    whole = hashlib.sha256()
    for name in sorted(columns):
        whole.update(name.encode() + b"\0")
        whole.update(bytes.fromhex(columns[name]))

    assert content_sha256(table(ROWS).to_batches()) == whole.hexdigest()


def test_batches_and_slices_do_not_change_the_digest() -> None:
    whole = table(ROWS)

    assert content_sha256(whole.to_batches()) == content_sha256(whole.to_batches(max_chunksize=1))


@pytest.mark.parametrize("change", ["token", "order", "source", "next"])
def test_any_change_of_content_changes_the_digest(change: str) -> None:
    rows = [dict(row) for row in table(ROWS).to_pylist()]
    if change == "token":
        rows[0]["input_ids"][0] = 4
    elif change == "order":
        rows.reverse()
    elif change == "source":
        rows[1]["segments"][0]["source"] = "t"
    else:
        rows[0]["next_token"] = 3

    assert content_sha256(table(rows).to_batches()) != content_sha256(table(ROWS).to_batches())


@pytest.mark.parametrize("damage", ["no parquet", "other columns"])
def test_unreadable_shard_is_a_broken_contract(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "shard-00000.parquet"
    if damage == "no parquet":
        path.write_bytes(b"PAR1 and nothing more")
    else:
        pq.write_table(pa.table({"ids": [1]}), path)

    with pytest.raises(ContractError, match=r"shard-00000\.parquet"):
        list(read_row_groups(path))
