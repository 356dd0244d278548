"""Texts of an Arrow column as the bytes that they are, for kernels: no text becomes a Python string.

Legend: B bytes of all texts, D documents.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

# As GROUP_CHARS of `text.batch`, where only hashes of tokens are computed.
GROUP_BYTES = 300_000

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]


class Texts(NamedTuple):
    """UTF-8 of texts, one behind the other, and where each begins: [D + 1]."""

    data_B: Bytes
    bounds_D: Offsets

    def text(self, document: int) -> str:
        """One of the texts."""
        return self.data_B[self.bounds_D[document] : self.bounds_D[document + 1]].tobytes().decode()

    def pieces(self) -> Iterator[memoryview]:
        """The bytes of each text; none are copied."""
        whole, bounds = self.data_B.data, self.bounds_D.tolist()
        return (whole[first:last] for first, last in itertools.pairwise(bounds))

    def groups(self, most: int) -> Iterator[slice]:
        """Consecutive texts of together at most `most` bytes; a longer text stands alone."""
        first, bounds = 0, self.bounds_D.tolist()
        for index in range(1, len(bounds)):
            if index - first > 1 and bounds[index] - bounds[first] > most:
                yield slice(first, index - 1)
                first = index - 1
        if len(bounds) > 1:
            yield slice(first, len(bounds) - 1)

    def part(self, texts: slice) -> Texts:
        """Consecutive ones of the texts; no text is copied."""
        bounds_D = self.bounds_D[texts.start : texts.stop + 1]
        return Texts(self.data_B[bounds_D[0] : bounds_D[-1]], bounds_D - bounds_D[0])

    def strings(self) -> Iterator[str]:
        """The texts in their order."""
        return (self.text(document) for document in range(len(self.bounds_D) - 1))

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        encoded = [text.encode() for text in texts]
        data = np.frombuffer(b"".join(encoded), np.uint8)
        return cls(data, np.cumsum([0, *map(len, encoded)]).astype(np.int64))

    @classmethod
    def of_column(cls, column: pa.Array) -> Texts:
        """The texts of a column of strings without nulls; no text is copied."""
        kind = np.int64 if pa.types.is_large_string(column.type) else np.int32
        _, bounds, data = column.buffers()
        if not len(column) or data is None:
            return cls(np.zeros(0, np.uint8), np.zeros(len(column) + 1, np.int64))
        bounds_D = np.frombuffer(bounds, kind)[column.offset : column.offset + len(column) + 1]
        data_B = np.frombuffer(data, np.uint8)[bounds_D[0] : bounds_D[-1]]
        return cls(data_B, bounds_D.astype(np.int64) - bounds_D[0])
