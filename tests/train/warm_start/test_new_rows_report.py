"""What is said of new rows, against figures that are computed by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch

from schemas.vocabulary import NewToken
from train.warm_start.growth import Growth
from train.warm_start.initial_rows import RowStart
from train.warm_start.new_rows_report import lines, summary, write_report


def start(
    number: int, rule: str, used: tuple[int, ...] = (), ignored: tuple[int, ...] = ()
) -> RowStart:
    token = NewToken(
        id=number, text=f"t{number}", piece=f"t{number}", origin="new", base_ids=used + ignored,
        frequency=1,
    )  # fmt: skip
    return RowStart(token=token, rule=rule, used=used, ignored=ignored)  # type: ignore[arg-type]


TABLE = torch.tensor([[1.0, 0.0], [1.0, 0.0], [3.0, 4.0], [0.0, 2.0], [3.0, 4.0]])
GROWTH = Growth(
    state={"embedding.weight": TABLE, "head_bias": torch.zeros(5)},
    tensors=("embedding.weight", "head_bias"),
    starts=(
        start(2, "subword_mean", (0, 1)),
        start(3, "gaussian_no_pieces", (), (9,)),
        start(4, "subword_mean", (1, 0), (9,)),
    ),
)


def test_rows_are_counted_by_rule_and_by_equal_starts() -> None:
    assert summary(GROWTH) == {
        "rows": 3,
        "tensors": ["embedding.weight", "head_bias"],
        "by_rule": {"subword_mean": 2, "gaussian_no_pieces": 1},
        "by_origin": {"new": 3},
        "with_ignored_pieces": 1,
        "sharing_a_start": 2,
    }


def test_the_summary_names_ids_and_rules() -> None:
    text = "\n".join(lines(GROWTH))

    assert "new: 3 rows (2 to 4) in each of embedding.weight, head_bias" in text
    assert "2 from the mean of their base pieces" in text
    assert "2 share their start" in text


def test_each_row_has_its_norm_and_its_cosine_to_the_mean(tmp_path: Path) -> None:
    path = write_report(tmp_path, GROWTH)

    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["id"] for record in records] == [2, 3, 4]
    assert [record["norm"]["embedding.weight"] for record in records] == [5.0, 2.0, 5.0]
    cosines = [record["cosine_to_mean"]["embedding.weight"] for record in records]
    assert all(
        math.isclose(a, b, abs_tol=1e-6) for a, b in zip(cosines, [0.6, 0.0, 0.6], strict=True)
    )
    assert records[1]["ignored"] == [9]
