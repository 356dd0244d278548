"""The joined table: what a decision removes beside what the study found."""

from __future__ import annotations

from typing import Any

import pytest

from refinery.ablation.costs import RunCosts
from refinery.ablation.decisions import Arm, Changes
from refinery.ablation.table import HEAD, Ablation, ArmEntry, read_ablation, rows_of
from schemas.errors import PipelineError


def _entry(name: str, **numbers: Any) -> ArmEntry:
    plain = {"manifest": "m", "root": "r", "documents": 10, "tokens": 900, "more_documents": 0, "more_tokens": 0,
             "fewer_documents": 0, "fewer_tokens": 0, "rows": 20, "shared_rows": 20, "near_heldout": 0,
             "cpu_seconds": None, "cost_of": ""}  # fmt: skip
    return ArmEntry.model_validate({"arm": name, **plain, **numbers})


MADE = Ablation(
    recipe="some",
    arms=(
        _entry("base"),
        _entry("without dedup", more_documents=3, more_tokens=1500, shared_rows=15, cpu_seconds=2.5),
    ),
    study="study.yaml",
    study_output="study",
)  # fmt: skip


def test_what_is_removed_is_shown_before_the_study_has_run() -> None:
    base, dedup = rows_of(MADE, None)

    assert base[0] == "base"
    assert dedup[:7] == ["without dedup", "3", "1,500", "", "900", "75%", "2.5"]
    assert dedup[-1] == "not run"
    assert {len(base), len(dedup)} == {len(HEAD)}


def test_effect_and_verdict_come_from_the_study() -> None:
    found = {"table": [
        {"arm": "base", "value": 2.5, "difference": None, "smallest": None, "verdict": ""},
        {"arm": "without dedup", "value": 2.51, "difference": [0.01, -0.02, 0.04], "smallest": 0.03,
         "verdict": "not told apart"},
    ]}  # fmt: skip

    base, dedup = rows_of(MADE, found)

    assert base[-5:] == ["2.5000", "", "", "", "reference"]
    assert dedup[-5:] == ["2.5100", "+0.0100", "-0.0200 to +0.0400", "0.0300", "not told apart"]


def test_ends_that_one_seed_does_not_know_are_said_so() -> None:
    row = {"arm": "without dedup", "value": 2.51, "difference": [0.01, None, None], "smallest": None, "verdict": "?"}  # fmt: skip

    assert rows_of(MADE, {"table": [row]})[1][-3] == "not known"


def test_a_file_of_something_else_is_refused() -> None:
    for text in (b"{", b'{"arms": 1}'):
        with pytest.raises(PipelineError, match=r"some\.json"):
            read_ablation(text, "some.json")


COSTS = RunCosts(
    stages={"dedup": 4.0},
    families=[(2.0, frozenset({"words", "stops"})), (8.0, frozenset({"top", "dup"}))],
    values={"gopher:words": frozenset({"words"}), "repetition:top": frozenset({"top"}),
            "repetition:dup": frozenset({"dup"})},
)  # fmt: skip


@pytest.mark.parametrize(
    ("decisions", "changes", "seconds"),
    [
        (("dedup",), Changes(values={"dedup.mode": "mark"}), 4.0),
        (("rules.gopher",), Changes(disabled=frozenset({"gopher:words"})), 2.0),
        (("rules.repetition:top",), Changes(disabled=frozenset({"repetition:top"})), None),
        (("a",), Changes(disabled=frozenset({"repetition:top", "repetition:dup"})), 8.0),
        (("rules", "dedup"), Changes(values={"clean.rules.enabled": False}), 14.0),
        (("language",), Changes(values={"clean.language.min_score": None}), None),
    ],
)
def test_a_decision_costs_what_nothing_else_needs(
    decisions: tuple[str, ...], changes: Changes, seconds: float | None
) -> None:
    arm = Arm(name="x", changes=changes, decisions=decisions)

    assert COSTS.of(arm).seconds == seconds
