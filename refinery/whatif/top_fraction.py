"""The border of each group for `top`, from one more pass over the ledger.

This holds twelve bytes in memory for each document that nothing else drops; all other answers of
whatif are counted batch by batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from refinery.clean.config import CleanConfig
from refinery.quality.config import TopFractionConfig
from refinery.quality.reasons import head_not_best
from refinery.quality.sampling import best_border, id_numbers, is_beyond
from refinery.whatif.judge import Judge, Mask
from refinery.whatif.maps import map_columns

MILLION = 1_000_000

Group = tuple[str | None, ...]


class TopBorders:
    """The last document that stays of each group, by head."""

    def __init__(self, batches: Iterable[pa.RecordBatch], config: CleanConfig) -> None:
        """Read all batches; documents that another rule drops under `config` do not count."""
        self._configs = config.top_fractions
        scored: defaultdict[tuple[str, Group], list[tuple[NDArray[np.int32], NDArray[np.uint64]]]]
        scored = defaultdict(list)
        judge = Judge(config)
        for batch in batches:
            left = ~judge.is_dropped(batch)
            scores, ids = map_columns(batch.column("scores")), _ids(batch)
            for head, top in self._configs.items():
                if head not in scores:
                    continue
                for group, members in _groups(batch, top):
                    kept = members[left[members] & ~np.isnan(scores[head][members])]
                    millionths = np.round(scores[head][kept] * MILLION).astype(np.int32)
                    scored[head, group].append((millionths, ids[kept]))
        self._borders = {}
        for (head, group), parts in scored.items():
            column, numbers = (np.concatenate(one) for one in zip(*parts, strict=True))
            if len(column):
                fraction = self._configs[head].fraction
                self._borders[head, group] = best_border(
                    column.astype(np.float64), numbers, fraction
                )

    def beyond(self, batch: pa.RecordBatch, dropped: Mask) -> Iterator[tuple[str, Mask]]:
        """Reason and mask of the documents beyond a border that nothing else dropped, by head."""
        scores, ids = map_columns(batch.column("scores")), _ids(batch)
        for head, top in self._configs.items():
            mask = np.zeros(batch.num_rows, bool)
            for group, members in _groups(batch, top):
                border = self._borders.get((head, group))
                if border is not None and head in scores:
                    with np.errstate(invalid="ignore"):
                        millionths = np.round(scores[head][members] * MILLION)
                        mask[members] = is_beyond(millionths, ids[members], border)
            yield head_not_best(head), mask & ~dropped


def _ids(batch: pa.RecordBatch) -> NDArray[np.uint64]:
    return id_numbers(batch.column("doc_id").to_pylist())


def _groups(
    batch: pa.RecordBatch, config: TopFractionConfig
) -> Iterator[tuple[Group, NDArray[np.int64]]]:
    """The groups that a batch has documents of, and their rows in it."""
    columns = [batch.column(name).to_pylist() for name in config.by]
    rows: defaultdict[Group, list[int]] = defaultdict(list)
    for row in range(batch.num_rows):
        rows[tuple(column[row] for column in columns)].append(row)
    for group, members in rows.items():
        yield group, np.array(members)
