"""Give a checkpoint of version 0.2 an index that is no pickle, without running anything of it.

Its `.metadata` is read by an unpickler that knows a dozen names, and makes of each an inert record: no name leads to
a function or class of Python or torch, so that a planted one is an error and never a call. The files of weights stay
as they are; of each tensor only the numbers are read, and their SHA-256 noted.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any, Self

from schemas.errors import ContractError
from train.checkpoint.index import (
    ELEMENT_BYTES,
    PLAIN_NAME,
    WEIGHTS_NAME,
    CheckpointIndex,
    StoredChunk,
    StoredTensor,
    write_index,
)
from train.checkpoint.pointer import STATE_NAME
from train.checkpoint.state_file import PICKLED_VERSION, write_state
from train.checkpoint.storage import numbers_of

_METADATA_NAME = ".metadata"
_MAX_METADATA_BYTES = 1 << 30
_RECORDS = "torch.distributed.checkpoint.metadata"
_ALLOWED = {
    (_RECORDS, "Metadata"),
    (_RECORDS, "MetadataIndex"),
    (_RECORDS, "TensorStorageMetadata"),
    (_RECORDS, "BytesStorageMetadata"),
    (_RECORDS, "ChunkStorageMetadata"),
    (_RECORDS, "TensorProperties"),
    (_RECORDS, "StorageMeta"),
    (_RECORDS, "_MEM_FORMAT_ENCODING"),
    ("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
    ("torch", "Size"),
    ("torch.serialization", "_get_layout"),
    ("pathlib", "PosixPath"),
    ("pathlib", "Path"),
    # What `torch.save` writes of one tensor.
    ("torch._utils", "_rebuild_tensor_v2"),
    ("collections", "OrderedDict"),
}


class _Record:
    """What a pickle says of one object: the arguments that it was made with, and its fields."""

    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> Self:
        made = super().__new__(cls)
        made.arguments, made.state = arguments, None
        return made

    def __init__(self, *arguments: Any) -> None:
        """Nothing is left to do: unpickling calls `__new__` alone, or both."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _InertUnpickler(pickle.Unpickler):
    """Makes records of the names in `_ALLOWED`, names of types as text, and refuses all others."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in ELEMENT_BYTES:
            return name
        is_storage = module == "torch" and name.endswith("Storage")
        if (module, name) not in _ALLOWED and not is_storage:
            raise pickle.UnpicklingError(
                f"it names {module}.{name}, which no list of tensors holds"
            )
        return type(name, (_Record,), {})

    def persistent_load(self, pid: Any) -> Any:
        """What torch writes for a storage, whose numbers lie beside the pickle."""
        return pid


def upgrade_checkpoint(path: Path) -> None:
    """Write the index and the checksums of a checkpoint of version 0.2; its weights stay as they are.

    Raises:
        ContractError: It is no such checkpoint, its list of tensors holds something else, or its files do not fit
            the list.
    """
    state = _old_state(path)
    weights = path / WEIGHTS_NAME
    try:
        index = _index(weights, _read_metadata(weights / _METADATA_NAME))
    except (
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        StopIteration,
        ValueError,
        OSError,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
    ) as error:
        raise ContractError(
            f"{weights}: is no list of tensors with its files: {error!r}"
        ) from error
    digest = write_index(weights, index)
    write_state(path, state, index_sha256=digest)


def _old_state(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((path / STATE_NAME).read_bytes())
    except (OSError, ValueError) as error:
        raise ContractError(f"{path}: no checkpoint there ({error})") from error
    version = state.pop("format_version", None)
    if version != PICKLED_VERSION:
        raise ContractError(f"{path}: format {version}, expected {PICKLED_VERSION}: nothing to do")
    return state


def _read_metadata(path: Path) -> _Record:
    try:
        data = path.read_bytes() if path.stat().st_size <= _MAX_METADATA_BYTES else b""
        record = _InertUnpickler(io.BytesIO(data)).load()
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise ContractError(f"{path}: is not what torch writes: {error}") from error
    if not isinstance(record, _Record):
        raise ContractError(f"{path}: is not what torch writes: {type(record).__name__}")
    return record


def _index(weights: Path, metadata: _Record) -> CheckpointIndex:
    where = {
        (key.state["fqn"], _numbers(key.state["offset"])): stored_at.state
        for key, stored_at in metadata.state["storage_data"].items()
        if "offset" in key.state
    }
    tensors, files = {}, set()
    for name, entry in metadata.state["state_dict_metadata"].items():
        if entry.state is None or "chunks" not in entry.state:
            continue  # a setting of the optimizer, which the recipe has as well
        chunks = []
        for chunk in entry.state["chunks"]:
            offsets, sizes = _numbers(chunk.state["offsets"]), _numbers(chunk.state["sizes"])
            stored_at = where[name, offsets]
            files.add(stored_at["relative_path"])
            chunks.append(_chunk(weights, stored_at, offsets=offsets, sizes=sizes))
        dtype = entry.state["properties"].state[0]
        size = _numbers(entry.state["size"])
        tensors[name] = StoredTensor(dtype=dtype, size=size, chunks=tuple(chunks))
    sizes_of = {name: (weights / name).stat().st_size for name in sorted(files)}
    return CheckpointIndex(file_bytes=sizes_of, tensors=tensors)


def _numbers(size: _Record) -> tuple[int, ...]:
    """The numbers of a `torch.Size`."""
    return tuple(size.arguments[0])


def _chunk(
    weights: Path, stored_at: dict[str, Any], *, offsets: tuple[int, ...], sizes: tuple[int, ...]
) -> StoredChunk:
    name = stored_at["relative_path"]
    if not PLAIN_NAME.fullmatch(name) or (weights / name).is_symlink():
        raise ContractError(f"{weights}: {name!r} is no file in this folder")
    with (weights / name).open("rb") as file:
        file.seek(stored_at["offset"])
        item = file.read(stored_at["length"])
    _refuse_strides(weights / name, item, sizes)
    start, num_bytes = numbers_of(item)
    return StoredChunk(
        offsets=offsets,
        sizes=sizes,
        file=name,
        start=stored_at["offset"] + start,
        num_bytes=num_bytes,
        sha256=hashlib.sha256(memoryview(item)[start : start + num_bytes]).hexdigest(),
    )


def _refuse_strides(path: Path, item: bytes, sizes: tuple[int, ...]) -> None:
    """Refuse a tensor whose numbers do not lie in row-major order; version 0.2 wrote none."""
    with zipfile.ZipFile(io.BytesIO(item)) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        tensor = _InertUnpickler(io.BytesIO(archive.read(name))).load()
    _, offset, size, strides = tensor.arguments[:4]
    expected, step = [], 1
    for length in reversed(sizes):
        expected.append(step)
        step *= length
    rows = zip(sizes, strides, reversed(expected), strict=True)
    if offset or tuple(size) != sizes or any(n > 1 and a != b for n, a, b in rows):
        raise ContractError(f"{path}: a tensor of {sizes} with strides {strides}; save it anew")
