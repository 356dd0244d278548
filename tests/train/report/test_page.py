"""The page of a run, from the smallest folder that has one."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ContractError
from train.report.events import EventLog
from train.report.page import render, write_report
from train.report.run_files import read_metrics


class Page(HTMLParser):
    """Headings, rows of tables, and the addresses that the page would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.addresses: list[str] = []
        self.text = ""
        self.charts: list[dict[str, Any]] = []
        self.titles: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "href") and v is not None]
        if tag == "tr":
            self.rows.append([])
        if tag in ("h1", "h2"):
            self.headings.append("")
        if tag in ("td", "th"):
            self.rows[-1].append("")
        found = dict(attrs)
        if tag == "figure":
            self.charts.append(json.loads(found["data-chart"] or ""))
            self.titles.append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        tag = self._open[-1] if self._open else ""
        if tag in ("h1", "h2"):
            self.headings[-1] += data
        elif tag == "figcaption":
            self.titles[-1] += data.strip()
        elif tag in ("td", "th"):
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
    text = write_report(write_run(tmp_path, [record(0), record(1)])).read_text()
    page = Page(text)

    assert page.headings == [tmp_path.name, "Curves", "Sources"]
    assert page.titles == ["Loss", "Loss by source", "Gradient norm", "Learning rate", "Batch", "Speed",
                           "Waiting for data", "Tokens by source"]  # fmt: skip
    assert ["web <b>", "128", "120", "100.0 %", "3.0000"] in page.rows
    assert "25.00 %" in page.text  # of the time was spent waiting
    assert all(address.startswith("#") for address in page.addresses)
    assert "<dt>parameters" not in text  # no checkpoint says them yet


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


def test_the_head_has_parameters_and_memory_where_the_run_says_them(tmp_path: Path) -> None:
    run = write_run(tmp_path, [record(0, memory_bytes=3_000_000_000), record(1, memory_bytes=10)])
    model = {"family": "gpt2", "vocab_size": 100, "width": 64, "num_layers": 2, "max_positions": 32}
    (run / "checkpoints" / "step-00000002").mkdir(parents=True)
    (run / "checkpoints" / "step-00000002" / "state.json").write_text(
        json.dumps({"environment": {}, "identity": {"model": model}})
    )

    text = render(run)

    # 2 blocks of 12 w^2 + 13 w, tables of 100 and 32 rows, and the last norm.
    parameters = 2 * (12 * 64**2 + 13 * 64) + 132 * 64 + 128
    assert f"<dt>parameters</dt><dd>{parameters / 1000:.1f} k</dd>" in text
    assert "<dt>peak memory of a rank</dt><dd>3 GB</dd>" in text


def test_curves_have_three_axes(tmp_path: Path) -> None:
    heldout = {"heldout": {"loss": 3.5}}
    page = Page(render(write_run(tmp_path, [record(0), record(1), record(2, **heldout)])))

    loss = page.charts[0]

    assert [line["name"] for line in loss["series"]] == ["training", "held out"]
    training, held_out = loss["series"]
    assert training["x"]["step"] == [0, 1, 2]
    assert training["x"]["tokens"] == [64, 128, 192]
    assert training["x"]["hours in steps"] == [pytest.approx(n / 1800) for n in (1, 2, 3)]
    assert (held_out["x"]["step"], held_out["y"]) == ([2], [3.5])


def test_a_long_run_of_many_sources_stays_below_six_megabytes(tmp_path: Path) -> None:
    names = [f"source-{n}" for n in range(12)]
    by_source = {
        "loss_by_source": dict.fromkeys(names, 3.123456),
        "tokens_by_source": dict.fromkeys(names, 1234),
        "labels_by_source": dict.fromkeys(names, 1234),
    }
    more = {"memory_bytes": 3_123_456_789, "mfu": 0.41234567, "loss_scale": 65536.0}
    records = [record(step, **more, **by_source) for step in range(12_000)]

    assert len(render(write_run(tmp_path, records)).encode()) < 6_000_000
