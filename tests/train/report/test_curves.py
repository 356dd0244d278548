"""Curves as SVG, metrics as lines, speed as a number."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import torch

from train.evaluation.table import print_result
from train.report.curves import Chart, draw
from train.report.metrics import MetricsFile, ProgressLine
from train.report.speed import peak_flops


def points(svg: str) -> list[list[tuple[float, float]]]:
    lines = re.findall(r'points="([^"]*)"', svg)
    return [[tuple(map(float, p.split(","))) for p in line.split()] for line in lines]  # type: ignore[misc]


def test_a_line_is_drawn_in_proportion() -> None:
    svg = draw(Chart(title="a < b", lines={"loss": [(0, 0.0), (5, 1.0), (10, 4.0)]}))

    ((first, middle, last),) = points(svg)
    assert (middle[0] - first[0]) / (last[0] - first[0]) == pytest.approx(0.5)
    assert (middle[1] - first[1]) / (last[1] - first[1]) == pytest.approx(0.25, abs=0.01)
    assert "a &lt; b" in svg
    assert "legend" not in svg


def test_what_is_not_finite_is_left_out_and_logarithms_want_positive_numbers() -> None:
    line = [(0, math.nan), (1, math.inf), (2, 0.0), (3, 10.0), (4, 1000.0)]

    plain, logarithmic = (
        draw(Chart(title="t", lines={"a": line, "b<": [(0, 1.0)]}, logarithmic=on))
        for on in (False, True)
    )

    assert len(points(plain)[0]) == 3
    assert len(points(logarithmic)[0]) == 2
    assert "<circle" in plain  # a line of one point
    assert "b&lt;" in plain
    assert draw(Chart(title="t", lines={"a": [(0, math.nan)]})) == ""


def test_a_long_line_is_thinned_and_keeps_its_peak() -> None:
    line = [(n, 100.0 if n == 4321 else 1.0) for n in range(10_000)]

    (drawn,) = points(draw(Chart(title="t", lines={"a": line})))

    assert len(drawn) < 700
    assert min(y for _, y in drawn) == pytest.approx(26)  # the peak reaches the top


def test_a_flat_line_lies_in_the_middle() -> None:
    (drawn,) = points(draw(Chart(title="t", lines={"a": [(0, 2.0), (9, 2.0)]})))

    assert {y for _, y in drawn} == {108.0}


def record(step: int) -> dict[str, float]:
    return {"step": step, "loss": 2.5, "tokens_per_second": 1234.0, "lr": 0.01, "wait_share": 0.5}


def test_a_resumed_run_writes_its_lines_once(tmp_path: Path) -> None:
    path = tmp_path / "run" / "metrics.jsonl"
    with MetricsFile(path, resume_step=0) as first:
        for step in range(4):
            first.write(record(step))
    path.write_text(path.read_text() + '{"step": 4, "lo')  # cut short by a kill

    with MetricsFile(path, resume_step=2) as again:
        again.write(record(2))

    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [0, 1, 2]


def test_progress_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine(total_steps=40) as line:
        for step in range(40):
            line.write({**record(step), "mfu": 0.25})

    shown = [text for text in capsys.readouterr().err.splitlines() if text.startswith("step")]
    assert shown[0].startswith(
        "step 1/40  loss 2.500  1,234 tokens/s  lr 1.00e-02  wait 50.0 %  MFU 25"
    )
    assert shown[-1].startswith("step 40/40")
    assert "ETA" not in shown[-1]
    assert len(shown) == 21


def test_the_peak_is_that_of_this_machine() -> None:
    assert peak_flops(torch.device("cpu")) > 1e8


def test_an_evaluation_is_printed_by_source_and_task(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"loss": 2.0, "perplexity": 7.389, "bits_per_byte": None, "labels": 1234}
    task = {"name": "piqa", "items": 3, "shots": 0, "accuracy": 0.5, "standard_error": 0.1,
            "accuracy_per_byte": 0.4, "accuracy_per_token": 0.3, "chance": 0.25}  # fmt: skip

    print_result({"heldout": {**row, "sources": {"web": {**row, "bits_per_byte": 0.9}}}})
    assert "piqa" not in capsys.readouterr().out
    print_result({"heldout": {**row, "sources": {}}, "tasks": [task]})

    shown = capsys.readouterr().out
    assert "1,234" in shown
    assert "0.500 ± 0.100" in shown
