"""The pages of studies: the verdict first, links to the runs, commands that run them again, failures with their reasons."""

from __future__ import annotations

import re
from pathlib import Path

from schemas.errors import PipelineError
from tests.support.studies import FakeExecutor, make_study
from train.studies.page import PAGE_NAME, render_study, write_page
from train.studies.run_tables import curves, failures, rerun_command, run_link, shown
from train.studies.runs import StudyRun
from train.studies.search_page import render_search
from train.studies.search_study import run_search, show_search
from train.studies.study import run_study

HOSTILE = "<img src=x onerror=alert(1)>"


def _value(run: StudyRun) -> float:
    if run.name == "flat-seed-2":
        raise PipelineError(f"step 3: {HOSTILE}")
    rate = run.settings.schedule.peak_lr or 1.0
    return 2.0 + (run.arm == "flat") + 0.001 * run.seed**2 + rate


def test_the_verdict_comes_first_and_every_run_has_its_page_and_its_command(
    tmp_path: Path,
) -> None:
    study = make_study(tmp_path, question=f"Pays {HOSTILE}?", pilot={"seeds": 2})
    found = run_study(study, FakeExecutor(_value).made, say=lambda text: None)
    run = tmp_path / "study" / "runs" / "base-seed-1"
    run.mkdir(parents=True)
    (run / "report.html").write_text("")

    write_page(found)

    page = (tmp_path / "study" / PAGE_NAME).read_text("utf-8")
    assert page == render_study(found)
    assert "<img" not in page
    body = page.split("<body>")[1]
    assert 0 < body.index("worse than base: flat") < body.index("<nav")
    assert 'href="runs/base-seed-1/report.html"' in body
    assert rerun_command(run) in body
    assert "step 3: &lt;img" in body
    assert "Known before the first run" in body
    assert body.index('id="table"') < body.index('id="runs"')
    assert re.search(r"<td[^>]*>\+1\.0", body)


def test_a_search_shows_history_slices_and_every_trial(tmp_path: Path) -> None:
    space = {
        "schedule.peak_lr": {"low": 1e-4, "high": 1.0, "log": True},
        "model.tied_head": [True, False],
    }
    search = {"space": space, "trials": 9, "pruning": {"rungs": 2}, "confirm": 2}
    study = make_study(tmp_path, search=search, seeds=1, budget={"tokens": 1280})

    found = run_search(study, FakeExecutor(_value).made, say=lambda text: None)
    page = (tmp_path / "study" / PAGE_NAME).read_text("utf-8")
    again = show_search(study)

    assert page == render_search(found) == render_search(again)
    body = page.split("<body>")[1]
    assert body.index("best of 9 trials") < body.index("<nav")
    for key in ("confirmation", "history", "importance", "slices", "parallel", "trials"):
        assert f'id="{key}"' in body
    assert body.count("data-chart=") >= 5
    assert "trial-0008-seed-1/recipe.yaml" in body
    assert "not read twice" in body
    assert "log10 of schedule.peak_lr" in body


def test_runs_without_a_page_are_no_links_and_unknown_numbers_are_empty(tmp_path: Path) -> None:
    assert run_link("a<b", tmp_path / "runs" / "a", tmp_path) == "a&lt;b"
    assert failures([]) == ""
    assert curves([]) == ""
    assert (shown(float("nan")), shown(None), shown(1.23456789, digits=3)) == ("", "", "1.23")
