"""Token ids of many texts in one array.

Legend: D documents, T tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from refinery.text.utf8 import Offsets
from refinery.tokenizers.piece_table import Ids


@dataclass(frozen=True)
class Encoded:
    """Ids of texts, one behind the other, and where those of each begin: [D + 1]."""

    ids_T: Ids
    bounds_D: Offsets

    def __len__(self) -> int:
        return len(self.bounds_D) - 1

    def __iter__(self) -> Iterator[Ids]:
        return (self[document] for document in range(len(self)))

    def __getitem__(self, document: int) -> Ids:
        return self.ids_T[self.bounds_D[document] : self.bounds_D[document + 1]]

    def column(self) -> pa.ListArray:
        """The ids as a column of lists."""
        return pa.ListArray.from_arrays(
            pa.array(self.bounds_D.astype(np.int32)), pa.array(self.ids_T)
        )

    @classmethod
    def of(cls, rows: Sequence[Ids]) -> Encoded:
        bounds = np.cumsum([0, *map(len, rows)]).astype(np.int64)
        return cls(
            np.concatenate([*rows, np.zeros(0, np.int32)]).astype(np.int32, copy=False), bounds
        )
