"""Several runs on one page: names, figures, the settings in which they differ, common charts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from schemas.errors import ContractError
from tests.train.report.test_page import Page, record, write_run
from train.report.comparison import run_names, write_comparison
from train.report.curves import curve_section
from train.report.run_files import read_run


def run(folder: Path, loss: float, **settings: object) -> Path:
    folder.mkdir(parents=True)
    write_run(folder, [record(0), record(1, loss=loss, heldout={"loss": loss + 0.5})])
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    return folder


def compare(tmp_path: Path, *folders: Path) -> Page:
    return Page(write_comparison(folders, tmp_path / "page.html").read_text("utf-8"))


def test_runs_stand_beside_each_other(tmp_path: Path) -> None:
    a = run(tmp_path / "a", 2.0, output="a", seed=1, schedule={"init_lr": 0.1, "warmup": 5})
    b = run(tmp_path / "b", 1.5, output="b", seed=1, schedule={"init_lr": 0.2, "warmup": 5})

    page = compare(tmp_path, a, b)

    assert ["a", "", "2", "128", "2.0000", "2.5000", "2.5000"] in [row[:7] for row in page.rows]
    assert ["b", "", "2", "128", "1.5000", "2.0000", "2.0000"] in [row[:7] for row in page.rows]
    assert ["schedule.init_lr", "0.1", "0.2"] in page.rows
    assert not any(row and row[0] in ("seed", "output", "schedule.warmup") for row in page.rows)
    loss = page.charts[0]
    assert [(line["name"], line["y"]) for line in loss["series"]] == [
        ("a", [4, 2]),
        ("b", [4, 1.5]),
    ]


def test_a_setting_that_one_run_lacks_differs(tmp_path: Path) -> None:
    page = compare(tmp_path, run(tmp_path / "a", 2.0, new=None), run(tmp_path / "b", 2.0))

    assert ["new", "null", ""] in page.rows


def test_equal_runs_differ_in_nothing(tmp_path: Path) -> None:
    page = compare(tmp_path, run(tmp_path / "a", 2.0), run(tmp_path / "b", 2.0))

    assert "None." in page.text


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    folders = [tmp_path / "x" / "run", tmp_path / "y" / "run"]

    assert run_names(folders) == ["x/run", "y/run"]
    assert run_names([tmp_path / "x" / "a", tmp_path / "y" / "b"]) == ["a", "b"]


def test_a_run_named_twice_is_refused(tmp_path: Path) -> None:
    folder = run(tmp_path / "a", 2.0)

    with pytest.raises(ContractError, match="named twice"):
        write_comparison([folder, tmp_path / "b" / ".." / "a"], tmp_path / "page.html")


def test_a_page_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    folders = [run(tmp_path / "a", 2.0), run(tmp_path / "b", 2.0)]

    with pytest.raises(ContractError, match=r"none/page.html: cannot be written"):
        write_comparison(folders, tmp_path / "none" / "page.html")


def test_a_run_keeps_its_colour_where_another_lacks_the_figure(tmp_path: Path) -> None:
    first = run(tmp_path / "a", 2.0)
    second = run(tmp_path / "b", 2.0)
    lines = [json.loads(line) for line in (second / "metrics.jsonl").open()]
    write_run(second, [{**line, "memory_bytes": 1000} for line in lines])

    page = Page(curve_section([read_run(first, "a"), read_run(second, "b")]))

    memory = page.charts[page.titles.index("Memory")]
    assert [(line["name"], line["colour"]) for line in memory["series"]] == [("b", 1)]
