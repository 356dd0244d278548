"""The page of a run, from the smallest folder that has one."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ContractError
from train.report.events import EventLog
from train.report.page import read_metrics, render, write_report


class Page(HTMLParser):
    """Headings, rows of tables, and the addresses that the page would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.addresses: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "href") and v is not None]
        if tag == "tr":
            self.rows.append([])
        if tag in ("h1", "h2"):
            self.headings.append("")
        if tag == "td":
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        tag = self._open[-1] if self._open else ""
        if tag in ("h1", "h2"):
            self.headings[-1] += data
        elif tag == "td":
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]


def record(step: int, **more: Any) -> dict[str, Any]:
    return {
        "step": step, "batch": 4, "tokens": 64 * (step + 1), "loss": 4.0 - step, "labels": 60,
        "loss_by_source": {"web <b>": 4.0 - step}, "labels_by_source": {"web <b>": 60},
        "tokens_by_source": {"web <b>": 64}, "grad_norm": 1.0, "lr": 0.01, "seconds": 2.0,
        "tokens_per_second": 32.0, "mfu": None, "wait_share": 0.25, "loss_scale": None,
    } | more  # fmt: skip


def write_run(folder: Path, records: list[dict[str, Any]]) -> Path:
    lines = "".join(json.dumps(one) + "\n" for one in records)
    (folder / "metrics.jsonl").write_text(lines)
    return folder


def test_a_run_with_metrics_alone_has_a_page(tmp_path: Path) -> None:
    page = Page(write_report(write_run(tmp_path, [record(0), record(1)])).read_text())

    assert page.headings == [tmp_path.name, "Curves", "Sources"]
    assert ["web <b>", "128", "120", "100.0 %", "3.0000"] in page.rows
    assert "25.00 %" in page.text  # of the time was spent waiting
    assert page.addresses == []


def test_the_page_shows_whatever_the_folder_holds(tmp_path: Path) -> None:
    run = write_run(tmp_path, [record(0, staleness={"0": 3, "2": 1}, refused=5, lost_workers=0)])
    loss = {"loss": 1.5, "perplexity": 4.4817, "bits_per_byte": 0.7}
    (run / "evaluation.json").write_text(
        json.dumps({"heldout": {**loss, "sources": {"zh": {**loss, "bits_per_byte": None}}}})
    )
    EventLog(run / "events.jsonl").append("resume", step=7, world_size=2)
    (run / "settings.yaml").write_text("seed: 17\n")
    state = {
        "environment": {"python": "3.11", "packages": {"torch": "2.9", "numpy": "2"}},
        "identity": {"manifest_root": "ab12"},
    }
    (run / "checkpoints" / "step-00000007").mkdir(parents=True)
    (run / "checkpoints" / "step-00000007" / "state.json").write_text(json.dumps(state))

    page = Page(render(run))

    assert page.headings[2:] == [
        "Sources", "Staleness of updates", "Held-out split", "Events", "Environment", "Settings",
    ]  # fmt: skip
    assert ["2", "1", "25.0 %", "\u2588" * 8] in page.rows
    assert ["refused as too stale", "5", "", ""] in page.rows
    assert ["all", "1.5000", "4.48", "0.7000"] in page.rows
    assert ["zh", "1.5000", "4.48", ""] in page.rows
    assert ["resume", "7", "world_size: 2"] in page.rows
    assert ["packages", "2, torch 2.9"] in page.rows
    assert ["manifest_root", "ab12"] in page.rows
    assert "seed: 17" in page.text


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    path = write_run(tmp_path, [record(0)]) / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 1, "lo')

    assert [one["step"] for one in read_metrics(path)] == [0]


def test_a_folder_without_metrics_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no metrics there yet"):
        write_report(tmp_path)
    (tmp_path / "metrics.jsonl").touch()
    with pytest.raises(ContractError, match="no metrics there yet"):
        write_report(tmp_path)
