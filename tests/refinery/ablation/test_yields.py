"""Yield against quality: which stage an arm stands for, and what the report shows of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from refinery.ablation.table import RESULT_NAME, Ablation
from refinery.ablation.yields import FOLDER, STUDY_RESULT, Yields, kept_after, read_yields
from refinery.report.data import SourceFunnel
from refinery.report.page import render_page
from refinery.report.sections.yields import yields_section
from schemas.errors import ContractError
from tests.refinery.ablation.test_decisions import FULL, _settings
from tests.refinery.ablation.test_table import _entry
from tests.refinery.report.test_sections import Cells, report
from tests.support.figures import Figure

PLAIN = _settings().recipe
BENCHMARK = {"benchmarks": [{"name": "b", "path": "b.jsonl", "fields": ["q"]}]}


@pytest.mark.parametrize(
    ("decisions", "stages"),
    [
        ("", ("dedup", "decontaminate", "mixture")),
        ("dedup", ("clean",)),
        ("rules+language+dedup", ("extract",)),
        ("language+dedup+rules", ("extract",)),
        ("rules", ()),
        ("rules+dedup", ()),
        ("rules.gopher+dedup", ()),
    ],
)
def test_an_arm_stands_for_the_stages_before_what_it_goes_without(
    decisions: str, stages: tuple[str, ...]
) -> None:
    asked = tuple(decisions.split("+")) if decisions else ()

    assert kept_after(asked, PLAIN) == stages


def test_later_stages_that_decide_anything_are_asked_for_too() -> None:
    with_benchmarks = _settings(decontaminate=BENCHMARK).recipe

    assert kept_after(("dedup",), with_benchmarks) == ()
    assert kept_after(("dedup", "decontaminate"), with_benchmarks) == ("clean",)
    assert kept_after(("decontaminate",), with_benchmarks) == ("dedup",)
    assert kept_after((), with_benchmarks) == ("decontaminate", "mixture")
    everything = ("rules", "rules.urls", "rules.max_removed_words", "rules.word_lists.slurs", "language", "quality",
                  "heads.harm", "dedup", "mixture", "mixture.rehydrate")  # fmt: skip
    assert kept_after(everything, FULL.recipe) == ("extract",)
    assert kept_after(tuple(one for one in everything if one != "rules.urls"), FULL.recipe) == ()


def _written(output: Path, table: list[dict[str, Any]] | None) -> None:
    folder = output / FOLDER
    (folder / "study").mkdir(parents=True)
    made = Ablation(
        recipe="some",
        arms=(
            _entry("base", tokens=500, kept_after=("dedup", "decontaminate", "mixture")),
            _entry("without dedup", tokens=700, kept_after=("clean",)),
            _entry("<b>odd</b>", tokens=600),
        ),
        study="s",
        study_output=str(folder / "study"),
    )
    (folder / RESULT_NAME).write_text(made.model_dump_json())
    if table is not None:
        found = {"table": table, "measure": {"figure": "bits_per_byte"}}
        (folder / "study" / STUDY_RESULT).write_text(json.dumps(found))


ROWS = [
    {"arm": "base", "value": 2.5, "difference": None, "verdict": ""},
    {"arm": "without dedup", "value": 2.55, "difference": [0.05, 0.02, 0.08], "verdict": "worse"},
    {"arm": "<b>odd</b>", "value": 2.6, "difference": [0.1, None, None], "verdict": "?"},
]  # fmt: skip
FUNNEL = SourceFunnel(
    documents=10,
    tokens={"documents": 1000, "rejected": 100, "dropped": 200, "duplicate": 200, "kept": 500},
)


def test_what_the_study_found_stands_beside_the_tokens_of_its_stage(tmp_path: Path) -> None:
    _written(tmp_path, ROWS)

    data = report(sources={"web": FUNNEL}, yields=read_yields(str(tmp_path)))

    page = yields_section(data)
    rows = Cells(page).tables["Tokens that are left, and what a model learns from them"]
    assert rows[0][5] == "bits_per_byte"
    assert [(row[0], row[2], row[4], row[5], row[6], row[7]) for row in rows[1:]] == [
        ("text was extracted", "900", "", "", "", ""),
        ("verdicts of the clean stage", "700", "without dedup", "2.5500", "+0.0500", "+0.0200 to +0.0800"),
        ("dedup", "500", "base", "2.5000", "", ""),
        ("decontamination", "500", "base", "2.5000", "", ""),
    ]  # fmt: skip
    whole, odd = Figure(page).data["series"]
    assert (whole["x"], whole["y"]) == ({"tokens kept": [500, 700]}, [2.5, 2.55])
    assert (odd["x"], odd["y"], odd["joined"]) == ({"tokens kept": [600]}, [2.6], False)
    assert "<b>odd</b>" not in page


def test_without_an_ablation_the_page_says_how_to_make_one(tmp_path: Path) -> None:
    assert read_yields(str(tmp_path)) == Yields()

    page = render_page(report(sources={"web": FUNNEL}))

    assert "Yield against quality" in page
    assert "No measure is known yet" in page


def test_before_the_study_has_run_arms_are_known_without_a_measure(tmp_path: Path) -> None:
    _written(tmp_path, None)

    found = read_yields(str(tmp_path))

    assert found.figure is None
    assert [(one.arm, one.tokens, one.measure) for one in found.arms][:2] == [
        ("base", 500, None), ("without dedup", 700, None),
    ]  # fmt: skip


def test_a_broken_ablation_is_named(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / RESULT_NAME).write_text("{")

    with pytest.raises(ContractError, match=r"ablation.json: not JSON"):
        read_yields(str(tmp_path))
