"""What line rules ask of a line's characters, against plain Python."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from refinery.filters.counting import are_short, end_in_dots
from refinery.filters.line_facts import scan_inside
from refinery.filters.values import code_points
from refinery.text.batch import TextBatch


@pytest.mark.parametrize("seed", range(10))
def test_facts_of_lines_are_those_of_plain_python(seed: int) -> None:
    source = random.Random(seed)
    text = "".join(source.choices("aBÉ月 \u3000[1e]..\n", k=400))
    batch = TextBatch.of([text, "", text[:9]])
    spans = batch.lines()
    cut = (spans.starts, spans.ends)

    words, longest, capitals, cited = scan_inside(
        batch.codes, batch.classes, *cut, code_points("1e]")
    )

    whole = text + text[:9]
    lines = [whole[start:end] for start, end in zip(*(c.tolist() for c in cut), strict=True)]
    assert words.tolist() == [len(line.split()) for line in lines]
    assert longest.tolist() == [max(map(len, re.split(r"\s", line))) for line in lines]
    assert capitals.tolist() == [sum(map(str.isupper, line)) for line in lines]
    assert cited.tolist() == [re.search(r"\[[1e\]]", line) is not None for line in lines]
    assert end_in_dots(batch.codes, *cut).tolist() == [line.endswith("...") for line in lines]
    assert are_short(batch.classes, *cut).tolist() == [
        len(line) + line.count("月") <= 30 for line in lines
    ]


def test_no_line_has_no_facts() -> None:
    none = np.zeros(0, np.int64)
    batch = TextBatch.of([""])

    found = scan_inside(batch.codes, batch.classes, none, none, code_points("1"))

    assert [len(column) for column in found] == [0, 0, 0, 0]
