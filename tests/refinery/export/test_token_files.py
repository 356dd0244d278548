"""Megatron's and numpy's files, read again by readers that know their published layout alone."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from refinery.export.token_files import documents, token_type, write_megatron, write_npy
from schemas.errors import ContractError

IDS = {"b": [5, 6, 7], "a": [1, 65_000], "c": [], "h": [9]}


@pytest.fixture
def tokens(tmp_path: Path) -> str:
    folder = tmp_path / "tokens"
    folder.mkdir()
    rows = [
        {"doc_id": name, "input_ids": ids, "split": "heldout" if name == "h" else "train"}
        for name, ids in IDS.items()
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "0.parquet")
    return str(folder)


def read_indexed(prefix: Path) -> tuple[list[list[int]], list[int]]:
    """Sequences and document borders, after the description of Megatron-Core's indexed dataset."""
    index = prefix.with_suffix(".idx").read_bytes()
    data = prefix.with_suffix(".bin").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, num_sequences, num_borders = struct.unpack_from("<QBQQ", index, 9)
    assert version == 1
    kind, width = {4: ("i", 4), 8: ("H", 2)}[code]
    position = 9 + 8 + 1 + 8 + 8
    lengths = struct.unpack_from(f"<{num_sequences}i", index, position)
    offsets = struct.unpack_from(f"<{num_sequences}q", index, position + 4 * num_sequences)
    borders = struct.unpack_from(f"<{num_borders}q", index, position + 12 * num_sequences)
    assert len(index) == position + 12 * num_sequences + 8 * num_borders
    assert len(data) == width * sum(lengths)
    sequences = [
        list(struct.unpack_from(f"<{length}{kind}", data, offset))
        for length, offset in zip(lengths, offsets, strict=True)
    ]
    return sequences, list(borders)


@pytest.mark.parametrize("vocab_size", [65_499, 65_500])
def test_megatron_files_hold_each_document_in_order(
    tokens: str, tmp_path: Path, vocab_size: int
) -> None:
    ids = documents(tokens, "train", end_id=2, vocab_size=vocab_size)

    assert write_megatron(tmp_path / "train", ids, vocab_size) == 3

    assert read_indexed(tmp_path / "train") == ([[1, 65_000, 2], [5, 6, 7, 2], [2]], [0, 1, 2, 3])
    assert token_type(vocab_size).itemsize == (2 if vocab_size == 65_499 else 4)


def test_an_empty_split_is_a_pair_of_files_without_documents(tmp_path: Path) -> None:
    assert write_megatron(tmp_path / "none", iter(()), 100) == 0
    assert read_indexed(tmp_path / "none") == ([], [0])


def test_npy_files_are_one_row_and_the_borders_in_it(tokens: str, tmp_path: Path) -> None:
    ids = documents(tokens, "train", end_id=None, vocab_size=70_000)

    assert write_npy(tmp_path / "train", ids, 70_000) == 3

    assert np.load(tmp_path / "train.npy", mmap_mode="r").tolist() == [1, 65_000, 5, 6, 7]
    assert np.load(tmp_path / "train.offsets.npy").tolist() == [0, 2, 5, 5]
    assert sorted(path.name for path in tmp_path.glob("*train*")) == [
        "train.npy",
        "train.offsets.npy",
    ]


def test_an_id_that_the_type_would_wrap_is_refused(tokens: str) -> None:
    with pytest.raises(ContractError, match=r"ids outside 0\.\.999"):
        list(documents(tokens, "train", end_id=None, vocab_size=1000))
