from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.fingerprints import canonical_json, sha256_files, stage_fingerprint


def _fingerprint(**changes: Any) -> str:
    base: dict[str, Any] = {
        "stage": "clean", "version": 1, "settings": {"a": 1}, "inputs": {"ingest": "x"},
        "files": [("model", "1"), ("list", "2")],
    }  # fmt: skip
    return stage_fingerprint(**{**base, **changes})


def test_equal_settings_in_another_order_give_equal_fingerprints() -> None:
    assert canonical_json({"a": 1, "b": [2]}) == canonical_json({"b": (2,), "a": 1})
    assert _fingerprint() == _fingerprint(files=[("list", "2"), ("model", "1")])


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"settings": {"a": 2}},
        {"inputs": {"ingest": "y"}},
        {"files": []},
        {"stage": "b"},
    ],
)
def test_every_part_counts(change: dict[str, Any]) -> None:
    assert _fingerprint(**change) != _fingerprint()


def test_values_without_a_stable_form_are_refused() -> None:
    with pytest.raises(TypeError, match="no stable form"):
        canonical_json({"path": Path("x")})


def test_a_folder_counts_by_names_and_contents(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    files = [tmp_path / "a", tmp_path / "b"]
    before = sha256_files(files, base=tmp_path)

    assert sha256_files(files[::-1], base=tmp_path) == before
    (tmp_path / "b").write_text("c")
    assert sha256_files(files, base=tmp_path) != before
