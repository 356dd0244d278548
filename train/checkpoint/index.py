"""`weights/index.json` of a checkpoint: where the plain numbers of each tensor lie, with SHA-256.

torch's own table of contents, `.metadata`, is a pickle: reading it runs what its author wrote. It is
written beside this index for the tools of torch, and never read here. The index is JSON, judged field by field
before a byte of a tensor is read, so that a stranger's folder can neither run code, nor name a file
outside itself, nor ask for more memory than its files hold.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from schemas.errors import ContractError
from schemas.fingerprints import canonical_json, sha256_hex

WEIGHTS_NAME, INDEX_NAME = "weights", "index.json"
_VERSION = 1
PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
ELEMENT_BYTES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip


class CheckpointDamageError(ContractError):
    """A file of a checkpoint is missing, cut or altered.

    Args:
        message: Names the file, and what is wrong with it.
        checkpoint: Folder of the checkpoint.
    """

    def __init__(self, message: str, checkpoint: Path) -> None:
        super().__init__(message, checkpoint, entity=str(checkpoint))
        self.checkpoint = checkpoint

    def __str__(self) -> str:
        return str(self.args[0])


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class StoredChunk(_Strict):
    """A block of a tensor: its numbers in row-major order, little-endian, at `start` of a file."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    file: str
    start: int = Field(ge=0)
    num_bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class StoredTensor(_Strict):
    """A tensor as the blocks that the ranks wrote; together they are all of it."""

    dtype: str
    size: tuple[int, ...]
    chunks: tuple[StoredChunk, ...]

    @model_validator(mode="after")
    def _chunks_make_the_tensor(self) -> Self:
        if self.dtype not in ELEMENT_BYTES:
            raise ValueError(f"dtype {self.dtype!r} is none of {', '.join(ELEMENT_BYTES)}")
        for chunk in self.chunks:
            if not _lies_within(chunk, self.size):
                raise ValueError(f"a block of {chunk.sizes} at {chunk.offsets} of {self.size}")
            expected = math.prod(chunk.sizes) * ELEMENT_BYTES[self.dtype]
            if chunk.num_bytes != expected:
                raise ValueError(f"{chunk.num_bytes} bytes for a block of {expected}")
        if sum(math.prod(chunk.sizes) for chunk in self.chunks) != math.prod(self.size):
            raise ValueError(f"its blocks are not all of {self.size}")
        return self


def _lies_within(chunk: StoredChunk, size: tuple[int, ...]) -> bool:
    if not len(chunk.offsets) == len(chunk.sizes) == len(size):
        return False
    blocks = zip(chunk.offsets, chunk.sizes, size, strict=True)
    return all(
        start >= 0 and length >= 0 and start + length <= end for start, length, end in blocks
    )


class CheckpointIndex(_Strict):
    """All tensors of a checkpoint by name, and the sizes of its files."""

    version: int = _VERSION
    file_bytes: dict[str, int]
    tensors: dict[str, StoredTensor]

    @field_validator("version")
    @classmethod
    def _is_known(cls, version: int) -> int:
        if version != _VERSION:
            raise ValueError(f"version {version}, expected {_VERSION}")
        return version

    @model_validator(mode="after")
    def _files_hold_the_tensors(self) -> Self:
        for name in self.file_bytes:
            if not PLAIN_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a file in this folder")
        for name, tensor in self.tensors.items():
            for chunk in tensor.chunks:
                if chunk.start + chunk.num_bytes > self.file_bytes.get(chunk.file, -1):
                    raise ValueError(f"{name} ends beyond the file {chunk.file!r}")
        return self

    def fits(self, name: str, size: tuple[int, ...]) -> bool:
        """Whether there is a tensor of that name and size."""
        return name in self.tensors and self.tensors[name].size == tuple(size)

    def tensor_sha256(self, name: str) -> str:
        """SHA-256 of the blocks of a tensor: equal for equal numbers that are cut into equal blocks."""
        tensor = self.tensors[name]
        blocks = sorted((list(chunk.offsets), chunk.sha256) for chunk in tensor.chunks)
        return sha256_hex(canonical_json([tensor.dtype, list(tensor.size), blocks]))

    def content_sha256(self) -> str:
        """SHA-256 of all tensors, whatever files they lie in."""
        return sha256_hex(canonical_json({n: self.tensor_sha256(n) for n in self.tensors}))

    def chunks(self) -> Iterator[tuple[str, StoredChunk]]:
        """Every block with the name of its tensor, in a fixed order."""
        for name in sorted(self.tensors):
            for chunk in self.tensors[name].chunks:
                yield name, chunk


def write_index(weights: Path, index: CheckpointIndex) -> str:
    """Write the index of a folder of weights; returns its SHA-256."""
    data = index.model_dump_json().encode()
    (weights / INDEX_NAME).write_bytes(data)
    return sha256_hex(data)


def read_index(weights: Path, *, sha256: str) -> CheckpointIndex:
    """Read the index of a folder of weights, and see that its files are there and whole.

    Args:
        weights: The folder.
        sha256: What the checkpoint's state says of the index.

    Raises:
        CheckpointDamageError: A file is missing, cut, or not what the state says; the message names it.
    """
    path = weights / INDEX_NAME
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointDamageError(
            f"{path}: cannot be read ({error.strerror})", weights.parent
        ) from error
    if sha256_hex(data) != sha256:
        raise CheckpointDamageError(
            f"{path}: damaged: has SHA-256 {sha256_hex(data)[:16]}..., expected {sha256[:16]}...",
            weights.parent,
        )
    try:
        index = CheckpointIndex.model_validate_json(data)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise CheckpointDamageError(
            f"{path}: {where or 'index'}: {fault['msg']}", weights.parent
        ) from error
    for name, size in index.file_bytes.items():
        _check_size(weights / name, size)
    return index


def _check_size(path: Path, expected: int) -> None:
    if path.is_symlink() or not path.is_file():
        raise CheckpointDamageError(f"{path}: missing, or no plain file", path.parent.parent)
    found = path.stat().st_size
    if found != expected:
        raise CheckpointDamageError(
            f"{path}: damaged: has {found:,} bytes, expected {expected:,}", path.parent.parent
        )


def read_chunk(weights: Path, name: str, chunk: StoredChunk) -> bytearray:
    """The bytes of a block, compared with their SHA-256.

    Raises:
        CheckpointDamageError: They differ; the message names the file and the tensor.
    """
    data = bytearray(chunk.num_bytes)
    path = weights / chunk.file
    try:
        with path.open("rb") as file:
            file.seek(chunk.start)
            count = file.readinto(data)
    except OSError as error:
        raise CheckpointDamageError(
            f"{path}: cannot be read ({error.strerror})", weights.parent
        ) from error
    if count != chunk.num_bytes or hashlib.sha256(data).hexdigest() != chunk.sha256:
        raise CheckpointDamageError(
            f"{path}: damaged: {name} does not have SHA-256 {chunk.sha256[:16]}... any more",
            weights.parent,
        )
    return data


def verify_weights(weights: Path, *, sha256: str, share: tuple[int, int] = (0, 1)) -> None:
    """Read a share of a folder's tensors and compare each with its SHA-256.

    Args:
        weights: The folder.
        sha256: What the checkpoint's state says of the index.
        share: This rank's number, and how many share the work.

    Raises:
        CheckpointDamageError: Something is missing or damaged; the message names it.
    """
    number, of = share
    for position, (name, chunk) in enumerate(read_index(weights, sha256=sha256).chunks()):
        if position % of == number:
            read_chunk(weights, name, chunk)
