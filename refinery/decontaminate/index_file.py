"""The index as one file that every process of a machine maps instead of loading.

    8 bytes   magic
    8 bytes   length of the header, little-endian
    header    JSON: names, n of each benchmark, and of every array its offset, type and size
    arrays    each aligned to 64 bytes

Equal items and settings give equal bytes, so the file's SHA-256 is its fingerprint.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinery.decontaminate.grams import RunFilter, Runs
from refinery.decontaminate.index import INDEX_VERSION, BenchmarkIndex
from refinery.decontaminate.words import ItemWords
from schemas.errors import ContractError

MAGIC = b"BENCHIDX"
_ALIGN = 64
_RUN_ARRAYS = ("lengths", "bounds", "hashes", "firsts")


def write_index(path: Path, index: BenchmarkIndex) -> None:
    """Write an index beside its final name, and rename it when it is whole."""
    arrays: dict[str, NDArray[Any]] = {
        "codes": index.words.codes,
        "token_offsets": index.words.token_offsets.astype(np.uint32),
        "item_bounds": index.words.item_bounds,
    }
    for number, runs in enumerate(index.runs):
        for name, one in zip(_RUN_ARRAYS, (*runs.entries, runs.firsts), strict=True):
            arrays[f"{name}{number}"] = np.asarray(one)
    for number, one in enumerate(index.filters):
        arrays[f"filter{number}"] = one.words
    locations, offset = {}, 0
    for name, array in arrays.items():
        locations[name] = {"offset": offset, "dtype": array.dtype.str, "size": len(array)}
        offset += -(-array.nbytes // _ALIGN) * _ALIGN
    header = {
        "version": INDEX_VERSION,
        "names": list(index.names),
        "ngram_tokens": index.ngram_tokens,
        "num_templates": index.num_templates,
        "templates": list(index.templates),
        "filters": [one.tokens for one in index.filters],
        "arrays": locations,
    }
    plain = json.dumps(header, ensure_ascii=False, sort_keys=True).encode()
    plain += b" " * (-(len(plain) + 16) % _ALIGN)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(MAGIC + len(plain).to_bytes(8, "little") + plain)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array).tobytes())
            file.write(b"\0" * (-array.nbytes % _ALIGN))
    part.rename(path)


@functools.cache
def open_index(path: Path) -> BenchmarkIndex:
    """Map an index; the pages are shared by all processes that map it, and kept by this one.

    Raises:
        ContractError: The file is no index, or one of another version.
    """
    with path.open("rb") as file:
        if file.read(8) != MAGIC:
            raise ContractError(f"{path}: no benchmark index")
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    if header["version"] != INDEX_VERSION:
        raise ContractError(
            f"{path}: index version {header['version']}, this program reads {INDEX_VERSION}"
        )
    mapped = np.memmap(path, np.uint8, mode="r", offset=0)

    def array(name: str) -> NDArray[Any]:
        location = header["arrays"][name]
        dtype = np.dtype(location["dtype"])
        start = 16 + size + location["offset"]
        # A plain array over the map: numpy's memmap class slows every slice down.
        raw = np.asarray(mapped)[start : start + location["size"] * dtype.itemsize]
        return raw.view(dtype)

    return BenchmarkIndex(
        names=[(benchmark, item) for benchmark, item in header["names"]],
        ngram_tokens=header["ngram_tokens"],
        num_templates=header["num_templates"],
        templates=[(words, items) for words, items in header["templates"]],
        words=ItemWords(array("codes"), array("token_offsets"), array("item_bounds")),
        runs=[
            Runs.over(*(array(f"{name}{number}") for name in _RUN_ARRAYS)) for number in range(2)
        ],
        filters=[
            RunFilter(tokens, array(f"filter{number}"))
            for number, tokens in enumerate(header["filters"])
        ],
    )
