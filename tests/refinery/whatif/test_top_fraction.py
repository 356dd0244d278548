"""The border of each group: the best of what nothing else drops stay."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from refinery.clean.config import CleanConfig
from refinery.quality.config import QualityConfig, TopFractionConfig
from refinery.whatif.top_fraction import TopBorders

SCHEMA = pa.schema([
    ("doc_id", pa.string()),
    ("source", pa.string()),
    ("lang", pa.string()),
    ("lang_score", pa.float64()),
    ("num_bytes", pa.int64()),
    ("values", pa.map_(pa.string(), pa.float64())),
    ("scores", pa.map_(pa.string(), pa.float64())),
    ("reasons", pa.list_(pa.string())),
])  # fmt: skip


def batch(*rows: tuple[int, str, float | None, list[str]]) -> pa.RecordBatch:
    """Rows of (number of the id, source, score, reasons)."""
    return pa.RecordBatch.from_pylist(
        [
            {
                "doc_id": f"{number:016x}" + "0" * 16, "source": source, "lang": "en",
                "lang_score": 1.0, "num_bytes": 10, "values": [],
                "scores": [] if score is None else [("quality", score)], "reasons": reasons,
            }
            for number, source, score, reasons in rows
        ],
        SCHEMA,
    )  # fmt: skip


def config(fraction: float, *, by: tuple[str, ...] = ("source", "lang")) -> CleanConfig:
    top = TopFractionConfig.model_validate({"fraction": fraction, "by": by})
    return CleanConfig(quality=QualityConfig(top=top))


def beyond(rows: pa.RecordBatch, config: CleanConfig) -> list[bool]:
    borders = TopBorders([rows], config)
    dropped = pc.greater(pc.list_value_length(rows.column("reasons")), 0)
    ((reason, mask),) = borders.beyond(rows, dropped.to_numpy(zero_copy_only=False))
    assert reason == "top:quality"
    return [bool(out) for out in mask]


def test_the_best_half_of_each_group_stays() -> None:
    rows = batch(
        (1, "a", 0.9, []), (2, "a", 0.1, []), (3, "b", 0.2, []), (4, "b", 0.3, []),
    )  # fmt: skip

    assert beyond(rows, config(0.5)) == [False, True, True, False]
    assert beyond(rows, config(0.5, by=())) == [False, True, True, False]
    assert beyond(rows, config(0.75, by=())) == [False, True, False, False]


def test_what_another_rule_drops_does_not_count() -> None:
    rows = batch((1, "a", 0.9, ["url:domain"]), (2, "a", 0.5, []), (3, "a", 0.4, []))

    # Of two that are left one stays; the dropped one is not named a second time.
    assert beyond(rows, config(0.5)) == [False, False, True]


def test_equal_scores_are_ordered_by_id() -> None:
    rows = batch((3, "a", 0.5, []), (1, "a", 0.5, []), (2, "a", 0.5, []))

    assert beyond(rows, config(0.6)) == [True, False, False]


def test_a_document_without_a_score_is_not_ranked() -> None:
    rows = batch((1, "a", None, []), (2, "a", 0.5, []), (3, "a", 0.4, []))

    assert beyond(rows, config(0.5)) == [False, False, True]


@pytest.mark.parametrize("num_batches", [1, 2, 5])
def test_borders_do_not_depend_on_the_batches(num_batches: int) -> None:
    scores = [0.5, 0.25, 0.75, 0.5, 0.125, 0.0, 1.0, 0.375, 0.5, 0.625]
    rows = batch(*((number, "a", score, []) for number, score in enumerate(scores)))
    size = len(scores) // num_batches
    parts = [rows.slice(start, size) for start in range(0, len(scores), size)]

    borders = TopBorders(parts, config(0.4))

    ((_, mask),) = borders.beyond(rows, np.zeros(len(scores), bool))
    # Four stay: 1.0, .75, .625, and of three times .5 the one with the smallest id.
    assert [number for number, out in enumerate(mask) if not out] == [0, 2, 6, 9]
