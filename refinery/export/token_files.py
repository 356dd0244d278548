"""Token ids of the kept documents in the files that other trainers read: Megatron's and numpy's.

Megatron's indexed dataset is a pair: `.bin` holds the ids of all documents one after the other, `.idx`
says where each one is (megatron/core/datasets/indexed_dataset.py): the magic `MMIDIDX\\0\\0`, version 1 as
uint64, the code of the type as uint8, the numbers of sequences and of document borders as uint64, the
lengths of the sequences as int32, their byte offsets as int64, and the borders of the documents as int64.
Here each document is one sequence. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
from numpy.typing import NDArray

from refinery.publish import storage
from schemas.errors import ContractError

MAGIC, VERSION = b"MMIDIDX\x00\x00", 1
# Codes of Megatron's types for ids; it takes uint16 for vocabularies below 65,500 ids.
TYPE_CODES = {"uint16": 8, "int32": 4}
MOST_SHORT_IDS = 65_500
SPLITS = ("train", "heldout")
BATCH_ROWS = 1024


def token_type(vocab_size: int) -> np.dtype[np.generic]:
    """The smallest type that Megatron uses for a vocabulary."""
    return np.dtype("<u2" if vocab_size < MOST_SHORT_IDS else "<i4")


def documents(
    tokens_uri: str, split: str, *, end_id: int | None, vocab_size: int
) -> Iterator[NDArray[np.int32]]:
    """Ids of each document of a split in the order of doc_id, with `end_id` behind it.

    Raises:
        ContractError: An id is outside of the vocabulary; a smaller type would wrap it.
    """
    system, path = storage.file_system(tokens_uri)
    table = ds.dataset(path, format="parquet", filesystem=system)
    rows = table.to_table(columns=["doc_id", "input_ids"], filter=ds.field("split") == split)
    end = [] if end_id is None else [end_id]
    for batch in rows.sort_by("doc_id").to_batches(max_chunksize=BATCH_ROWS):
        for value in batch.column("input_ids"):
            ids = np.asarray([*value.as_py(), *end], np.int32)
            if len(ids) and not (ids.min() >= 0 and ids.max() < vocab_size):
                raise ContractError(f"{tokens_uri}: ids outside 0..{vocab_size - 1}")
            yield ids


def write_megatron(prefix: Path, ids: Iterator[NDArray[np.int32]], vocab_size: int) -> int:
    """Write `PREFIX.bin` and `PREFIX.idx`; returns the number of documents."""
    dtype = token_type(vocab_size)
    lengths: list[int] = []
    with prefix.with_name(f"{prefix.name}.bin").open("wb") as stream:
        for document in ids:
            stream.write(document.astype(dtype).tobytes())
            lengths.append(len(document))
    sizes = np.asarray(lengths, "<i4")
    ends = np.cumsum(sizes, dtype="<i8") * dtype.itemsize
    offsets = np.concatenate([np.zeros(1, "<i8"), ends])[:-1].astype("<i8")
    with prefix.with_name(f"{prefix.name}.idx").open("wb") as index:
        index.write(MAGIC + struct.pack("<QB", VERSION, TYPE_CODES[dtype.name]))
        index.write(struct.pack("<QQ", len(lengths), len(lengths) + 1))
        index.write(sizes.tobytes() + offsets.tobytes())
        index.write(np.arange(len(lengths) + 1, dtype="<i8").tobytes())
    return len(lengths)


def write_npy(prefix: Path, ids: Iterator[NDArray[np.int32]], vocab_size: int) -> int:
    """Write `PREFIX.npy`, all ids in one row, and `PREFIX.offsets.npy`, where each document begins and
    the last one ends; returns the number of documents.
    """
    dtype = token_type(vocab_size)
    raw = prefix.with_name(f".{prefix.name}.ids")
    offsets = [0]
    try:
        with raw.open("wb") as stream:
            for document in ids:
                stream.write(document.astype(dtype).tobytes())
                offsets.append(offsets[-1] + len(document))
        target = prefix.with_name(f"{prefix.name}.npy")
        with raw.open("rb") as stream, target.open("wb") as npy:
            header = {"descr": dtype.str, "fortran_order": False, "shape": (offsets[-1],)}
            np.lib.format.write_array_header_1_0(npy, header)
            while piece := stream.read(1 << 24):
                npy.write(piece)
    finally:
        raw.unlink(missing_ok=True)
    np.save(prefix.with_name(f"{prefix.name}.offsets.npy"), np.asarray(offsets, "<i8"))
    return len(offsets) - 1
