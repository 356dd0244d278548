"""How torch.distributed.checkpoint writes and reads a checkpoint's weights: verified, never unpickled.

The files are those of torch's own `FileSystemWriter`, so that the tools of torch can open them. Beside them lies an
index (`train.checkpoint.index`) of where the numbers of each tensor begin; reading needs nothing
else. Which rank writes and reads what is decided by torch's planners, as ever.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.default_planner import DefaultSavePlanner
from torch.distributed.checkpoint.filesystem import FileSystem, FileSystemWriter
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)
from torch.distributed.checkpoint.planner import (
    LoadPlan,
    LoadPlanner,
    ReadItem,
    SavePlan,
    SavePlanner,
    WriteItem,
)
from torch.distributed.checkpoint.storage import StorageReader, WriteResult
from torch.futures import Future

from train.checkpoint.index import (
    ELEMENT_BYTES,
    CheckpointIndex,
    StoredChunk,
    StoredTensor,
    read_chunk,
    write_index,
)

_LOCAL_HEADER_BYTES = 30  # of a zip member, before its name and its extra field


class PlainPlanner(DefaultSavePlanner):
    """Writes the numbers of each tensor in row-major order, whatever its strides are."""

    def transform_object(self, write_item: WriteItem, object: Any) -> Any:  # noqa: A002
        if not isinstance(object, Tensor):
            raise TypeError(
                f"{write_item.index.fqn}: a checkpoint holds tensors, not {object!r:.60}"
            )
        return object.detach().contiguous()


@dataclass(frozen=True)
class _Located:
    """What torch notes of an item that it wrote, and where the item's numbers lie."""

    storage_data: Any
    file: str
    start: int
    num_bytes: int
    sha256: str


class _NotingFiles(FileSystem):
    """Opens files that remember what the disk refused.

    Attributes:
        refusal: The last refusal.
    """

    refusal: OSError | None = None

    @contextmanager
    def create_stream(self, path: str | os.PathLike[str], mode: str) -> Iterator[io.IOBase]:
        with _WholeWrites(path, mode) as file:
            try:
                yield file
            finally:
                self.refusal = file.refusal or self.refusal


class _WholeWrites(io.FileIO):
    refusal: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of it, as files with a buffer do."""
        left = memoryview(data).cast("B")
        try:
            while left:
                left = left[super().write(left) or 0 :]
        except OSError as error:
            self.refusal = error
            raise
        return memoryview(data).nbytes


class VerifiedWriter(FileSystemWriter):
    """Writes torch's files, and the index beside them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._weights = path
        self.fs = self._files = _NotingFiles()

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        try:
            written = super().write_data(plan, planner).wait()
        except RuntimeError as error:
            # torch's zip writer swallows what the disk said, and tells of a wrong position.
            raise self._files.refusal or error from error
        by_file: dict[str, list[WriteResult]] = defaultdict(list)
        for result in written:
            by_file[result.storage_data.relative_path].append(result)
        located: Future[list[WriteResult]] = Future()
        located.set_result(
            [one for name, results in by_file.items() for one in self._locate(name, results)]
        )
        return located

    def _locate(self, name: str, results: list[WriteResult]) -> Iterable[WriteResult]:
        with (self._weights / name).open("rb") as file:
            for result in results:
                stored = result.storage_data
                file.seek(stored.offset)
                item = file.read(stored.length)
                start, num_bytes = numbers_of(item)
                digest = hashlib.sha256(memoryview(item)[start : start + num_bytes])
                stored_at = _Located(
                    storage_data=stored,
                    file=name,
                    start=stored.offset + start,
                    num_bytes=num_bytes,
                    sha256=digest.hexdigest(),
                )
                yield replace(result, storage_data=stored_at)

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        located = {one.index: one.storage_data for several in results for one in several}
        torchs = [
            [replace(one, storage_data=one.storage_data.storage_data) for one in several]
            for several in results
        ]
        super().finish(metadata, torchs)
        files = {stored_at.file for stored_at in located.values()}
        index = CheckpointIndex(
            file_bytes={name: (self._weights / name).stat().st_size for name in sorted(files)},
            tensors={
                name: _stored(name, entry, located)
                for name, entry in metadata.state_dict_metadata.items()
                if isinstance(entry, TensorStorageMetadata)
            },
        )
        write_index(self._weights, index)


def numbers_of(item: bytes) -> tuple[int, int]:
    """Where the numbers of a tensor lie in what `torch.save` made of it: start and number of bytes.

    It is a zip file of uncompressed members, of which `.../data/0` is the tensor's storage.
    """
    with zipfile.ZipFile(io.BytesIO(item)) as archive:
        member = next(one for one in archive.infolist() if one.filename.endswith("/data/0"))
    header = item[member.header_offset : member.header_offset + _LOCAL_HEADER_BYTES]
    # The lengths of the name and of the extra field, which pads the numbers to an aligned address.
    name, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    return member.header_offset + _LOCAL_HEADER_BYTES + name + extra, member.file_size


def _stored(
    name: str, entry: TensorStorageMetadata, located: dict[MetadataIndex, _Located]
) -> StoredTensor:
    chunks = []
    for chunk in entry.chunks:
        stored_at = located[MetadataIndex(name, chunk.offsets)]
        chunks.append(
            StoredChunk(
                offsets=tuple(chunk.offsets),
                sizes=tuple(chunk.sizes),
                file=stored_at.file,
                start=stored_at.start,
                num_bytes=stored_at.num_bytes,
                sha256=stored_at.sha256,
            )
        )
    dtype = str(entry.properties.dtype).removeprefix("torch.")
    return StoredTensor(dtype=dtype, size=tuple(entry.size), chunks=tuple(chunks))


class VerifiedReader(StorageReader):
    """Reads the blocks that this rank needs, each compared with its SHA-256.

    Args:
        path: The folder of the weights.
        index: What its index says.
    """

    def __init__(self, path: Path, index: CheckpointIndex) -> None:
        self._weights, self._index = path, index

    def reset(self, checkpoint_id: Any = None) -> None:
        """Nothing to do: a reader is made for one folder."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        return Metadata(
            state_dict_metadata={
                name: TensorStorageMetadata(
                    properties=TensorProperties(dtype=dtype_of(tensor)),
                    size=torch.Size(tensor.size),
                    chunks=[
                        ChunkStorageMetadata(torch.Size(chunk.offsets), torch.Size(chunk.sizes))
                        for chunk in tensor.chunks
                    ],
                )
                for name, tensor in self._index.tensors.items()
            }
        )

    def set_up_storage_reader(
        self,
        metadata: Metadata,
        is_coordinator: bool,  # noqa: FBT001 - torch's protocol
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self._chunks = {
            MetadataIndex(name, chunk.offsets): chunk for name, chunk in self._index.chunks()
        }

    def prepare_local_plan(self, plan: LoadPlan) -> LoadPlan:
        return plan

    def prepare_global_plan(self, plans: list[LoadPlan]) -> list[LoadPlan]:
        return plans

    def read_data(self, plan: LoadPlan, planner: LoadPlanner) -> Future[None]:
        by_chunk: dict[MetadataIndex, list[ReadItem]] = defaultdict(list)
        for item in plan.items:
            by_chunk[item.storage_index].append(item)
        for where, items in by_chunk.items():
            chunk, name = self._chunks[where], where.fqn
            data = read_chunk(self._weights, name, chunk)
            block = _as_tensor(data, self._index.tensors[name], chunk)
            for item in items:
                part = block
                for dim, (start, length) in enumerate(
                    zip(item.storage_offsets, item.lengths, strict=True)
                ):
                    part = part.narrow(dim, start, length)
                target = planner.resolve_tensor(item).detach()
                target.copy_(part)
                planner.commit_tensor(item, target)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: Any) -> bool:
        return Path(checkpoint_id).is_dir()


def dtype_of(tensor: StoredTensor) -> torch.dtype:
    """The type of a stored tensor's numbers; the index allows no name but those of types."""
    assert tensor.dtype in ELEMENT_BYTES
    dtype: torch.dtype = getattr(torch, tensor.dtype)
    return dtype


def _as_tensor(data: bytearray, tensor: StoredTensor, chunk: StoredChunk) -> Tensor:
    if math.prod(chunk.sizes) == 0:
        return torch.empty(chunk.sizes, dtype=dtype_of(tensor))
    return torch.frombuffer(data, dtype=dtype_of(tensor)).reshape(chunk.sizes)
