"""Metrics as lines, speed and memory as numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from train.evaluation.table import print_results
from train.report.memory import peak_memory_bytes
from train.report.metrics import MetricsFile, ProgressLine, progress_figures
from train.report.speed import peak_flops


def record(step: int) -> dict[str, float]:
    return {
        "step": step, "loss": 2.5, "grad_norm": 0.75, "lr": 0.01, "tokens": 2_500_000 * (step + 1),
        "tokens_per_second": 1234.0, "wait_share": 0.5,
    }  # fmt: skip


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
            line.write({**record(step), "mfu": 0.25, "memory_bytes": 3_200_000_000})

    shown = [text for text in capsys.readouterr().err.splitlines() if text.startswith("step")]
    assert shown[0].startswith(
        "step 1/40  loss 2.500  norm 0.75  lr 1.00e-02  2.5 M tokens  1,234 tokens/s  wait 50.0 %  "
        "memory 3.2 GB  MFU 25"
    )
    assert shown[-1].startswith("step 40/40")
    assert "ETA" not in shown[-1]
    assert len(shown) == 21


def test_figures_that_a_run_does_not_have_are_left_out() -> None:
    shown = progress_figures(record(0))

    assert shown.endswith("wait 50.0 %")


def test_memory_is_the_most_that_the_process_has_held() -> None:
    before = peak_memory_bytes(torch.device("cpu"))
    held = Path("/proc/self/status").read_text("utf-8")

    (highest,) = re.findall(r"VmHWM:\s+(\d+) kB", held)
    assert before == pytest.approx(1024 * int(highest), rel=0.05)


def test_the_peak_is_that_of_this_machine() -> None:
    assert peak_flops(torch.device("cpu")) > 1e8


def test_losses_of_different_objectives_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"loss": 2.0, "perplexity": 7.389, "bits_per_byte": None, "labels": 12, "sources": {}}
    one, other = {"objective": "causal", "heldout": row}, {"objective": "masked", "heldout": row}

    print_results({"a": one, "b": one})
    assert "do not compare" not in capsys.readouterr().out
    print_results({"a": one, "b": other})

    assert "different objectives do not compare: a causal, b masked" in capsys.readouterr().out


def test_an_evaluation_is_printed_by_source_and_task(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"loss": 2.0, "perplexity": 7.389, "bits_per_byte": None, "labels": 1234}
    acc = {"value": 0.5, "low": 0.412, "high": 0.588}
    task = {"name": "piqa", "kind": "multiple_choice", "items": 3, "shots": 0, "chance": 0.25,
            "prompts_cut": 1, "form": "from left to right", "warnings": ["1 prompt lost its beginning"],
            "metrics": {"acc": acc, "bits_per_byte": {"value": 1.25, "low": None, "high": None}},
            "clean": {"items": 2, "metrics": {"acc": acc, "bits_per_byte": acc}}}  # fmt: skip

    print_results({"a": {"heldout": {**row, "sources": {"web": {**row, "bits_per_byte": 0.9}}}}})
    assert "piqa" not in capsys.readouterr().out
    print_results({"a": {"heldout": {**row, "sources": {}}, "tasks": [task]}})

    shown = capsys.readouterr().out
    assert "1,234" in shown
    for part in ("0.412 to 0.588", "1.250", "piqa (clean)", "piqa: 1 prompt lost", "left to right"):
        assert part in shown
