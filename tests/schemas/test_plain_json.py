"""JSON that every parser reads."""

from __future__ import annotations

import json

from schemas.plain_json import json_text

NAN, INFINITY = float("nan"), float("inf")


def test_what_is_no_number_is_null_at_any_depth() -> None:
    value = {"a": NAN, "b": [1.5, -INFINITY, {"c": (INFINITY, "NaN")}], "d": True}

    assert json.loads(json_text(value), parse_constant=lambda name: 1 / 0) == {
        "a": None,
        "b": [1.5, None, {"c": [None, "NaN"]}],
        "d": True,
    }


def test_characters_stay_as_they_are() -> None:
    assert json_text({"名": "值"}) == '{"名": "值"}'
    assert json_text([1], indent=1) == "[\n 1\n]"
