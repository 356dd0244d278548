from __future__ import annotations

from pathlib import Path
from typing import Self

import pytest
from pydantic import model_validator

from schemas.errors import SettingsError
from schemas.settings import Bounded, Settings, apply_overrides, load_settings


class Inner(Settings):
    min_chars: int = 5


class Outer(Settings):
    name: str
    inner: Inner = Inner()
    parts: tuple[Inner, ...] = ()


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return path


def test_overrides_reach_nested_keys_and_lists(tmp_path: Path) -> None:
    path = _write(tmp_path, "name: a\nparts: [{min_chars: 1}, {min_chars: 2}]\n")

    settings = load_settings(Outer, path, ["inner.min_chars=9", "parts.1.min_chars=7"])

    assert settings.inner.min_chars == 9
    assert [part.min_chars for part in settings.parts] == [1, 7]


def test_an_unknown_key_names_its_place_and_the_nearest_key(tmp_path: Path) -> None:
    path = _write(tmp_path, "name: a\ninner: {min_char: 3}\n")

    with pytest.raises(
        SettingsError, match=r"inner\.min_char: unknown key; did you mean 'min_chars'\?"
    ):
        load_settings(Outer, path)


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    path = _write(tmp_path, "inner: {min_chars: many}\n")

    with pytest.raises(SettingsError) as caught:
        load_settings(Outer, path)

    assert "name: Field required" in str(caught.value)
    assert "inner.min_chars" in str(caught.value)
    assert "'many'" in str(caught.value)


def test_a_key_given_twice_is_an_error(tmp_path: Path) -> None:
    path = _write(tmp_path, "name: a\nname: b\n")

    with pytest.raises(SettingsError, match="line 2: key 'name' is given twice"):
        load_settings(Outer, path)


@pytest.mark.parametrize("text", ["- a\n- b\n", "", "name: [unclosed"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError):
        load_settings(Outer, _write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.yaml: cannot be read"):
        load_settings(Outer, tmp_path / "gone.yaml")


@pytest.mark.parametrize("override", ["name", "=1", "parts.5.min_chars=1"])
def test_a_wrong_override_is_refused(override: str) -> None:
    with pytest.raises(SettingsError):
        apply_overrides({"name": "a", "parts": []}, [override])


def test_bounds_must_be_ordered_and_zero_is_a_bound() -> None:
    assert Bounded(minimum=0, maximum=0).maximum == 0
    with pytest.raises(ValueError, match="minimum <= maximum"):
        Bounded(minimum=2, maximum=1)


class Ordered(Settings):
    low: int = 1
    high: int = 2

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"need low <= high, got {self.low} and {self.high}")
        return self


class Holder(Settings):
    part: Ordered = Ordered()


def test_a_rule_about_several_keys_is_told_without_the_section_around_them(tmp_path: Path) -> None:
    path = _write(tmp_path, "part: {low: 5}")

    with pytest.raises(SettingsError) as refusal:
        load_settings(Holder, path)

    assert str(refusal.value) == f"{path}: part: need low <= high, got 5 and 2"
