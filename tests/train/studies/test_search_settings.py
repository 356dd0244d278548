"""Spaces that make sense, and those that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import SettingsError
from schemas.settings import parse_settings
from train.studies.search_settings import SearchConfig, Space

RATE = {"low": 1e-4, "high": 1e-1, "log": True}


def _search(space: dict[str, Any], **changes: Any) -> SearchConfig:
    return parse_settings(SearchConfig, {"space": space, "trials": 3, **changes}, where="s")


def test_lists_are_choices_and_conditions_name_values_of_settings_above() -> None:
    search = _search(
        {
            "optimizer.name": ["adamw", "lion"],
            "schedule.peak_lr": RATE,
            "optimizer.eps": {"low": 1e-10, "high": 1e-6, "log": True, "when": {"optimizer.name": "adamw"}},
        }
    )  # fmt: skip

    assert search.space["optimizer.name"].choices == ("adamw", "lion")
    assert search.space["optimizer.eps"].when == {"optimizer.name": ("adamw",)}
    assert search.space["schedule.peak_lr"].holds(0.01)
    assert not search.space["schedule.peak_lr"].holds(0.2)
    assert not Space(low=0, high=4).holds(True)


@pytest.mark.parametrize(
    ("space", "changes", "words"),
    [
        ({}, {}, "at least 1"),
        ({"a": {"low": 1}}, {}, "give low and high, or choices"),
        ({"a": {"low": 2, "high": 1}}, {}, "low < high"),
        ({"a": {"low": 1, "high": 1}}, {}, "low < high"),
        ({"a": {"low": 0, "high": 1, "log": True}}, {}, "log: low must be above 0"),
        ({"a": {"low": 0, "high": float("inf")}}, {}, "finite"),
        ({"a": {"low": 0, "high": float("nan")}}, {}, "finite"),
        ({"a": {"low": 1, "high": 9, "log": True, "step": 2}}, {}, "log and step"),
        ({"a": {"low": 0.5, "high": 9, "integer": True}}, {}, "ends must be whole"),
        ({"a": {"low": 1, "high": 9, "integer": True, "step": 0.5}}, {}, "step must be whole"),
        ({"a": {"low": 1, "high": 2, "step": 3}}, {}, "longer than"),
        ({"a": {"low": 1, "high": 2, "step": 0}}, {}, "greater than 0"),
        ({"a": ["x"]}, {}, "at least 2"),
        ({"a": ["x", "x"]}, {}, "'x' is there twice"),
        ({"a": {"choices": [1, 2], "low": 1}}, {}, "choices and low"),
        ({"a": {"choices": [1, 2], "log": True}}, {}, "choices and log"),
        ({"a": {**RATE, "when": {"b": 1}}, "b": [1, 2]}, {}, "above it"),
        ({"b": [1, 2], "a": {**RATE, "when": {"b": 3}}}, {}, "3 is no value of b"),
        ({"a": RATE}, {"sampler": "grid"}, "grid needs choices or a step"),
        ({"a": RATE}, {"sampler": "cmaes"}, "two ranges or more"),
        ({"a": RATE, "b": RATE, "c": [1, 2]}, {"sampler": "cmaes"}, "choices of c"),
        ({"a": RATE}, {"sampler": "tpee"}, "tpe"),
        ({"a": RATE}, {"trials": 0}, "greater than 0"),
        ({"a": RATE}, {"pruning": {"rungs": 1}}, "greater than or equal to 2"),
        ({"a": RATE}, {"start": ["t6"]}, "step_law"),
    ],
)  # fmt: skip
def test_spaces_without_sense_are_refused(
    space: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        _search(space, **changes)
