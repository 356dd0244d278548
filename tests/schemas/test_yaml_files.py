from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.errors import ContractError, SettingsError
from schemas.settings import Settings, load_settings
from schemas.yaml_files import dump_yaml, parse_yaml, read_list, read_yaml


class Source(Settings):
    name: str
    languages: tuple[str, ...] = ()
    date: str | None = None
    enabled: bool = True
    keep: bool | None = None
    rate: float = 0.1
    steps: int = 1


@pytest.mark.parametrize(
    "word",
    [
        "no",
        "No",
        "NO",
        "yes",
        "on",
        "Off",
        "y",
        "N",
        "12:30:00",
        "1:30",
        "2024-01-01",
        "0b11",
        "1__0",
    ],
)
def test_words_of_yaml_1_1_are_text(word: str) -> None:
    assert parse_yaml(f"[{word}]") == [word]


def test_core_schema_of_yaml_1_2() -> None:
    # The examples of YAML 1.2.2, section 10.3.2.
    assert parse_yaml("[null, ~, true, FALSE]") == [None, None, True, False]
    assert parse_yaml("[0, 0o7, 0x3A, -19]") == [0, 7, 58, -19]
    assert parse_yaml("[0., -0.0, .5, +12e03, -2E+05]") == [0.0, -0.0, 0.5, 12000.0, -200000.0]
    assert parse_yaml("[.inf, -.Inf, +.INF]") == [float("inf"), float("-inf"), float("inf")]


def test_ten_with_a_leading_zero_is_ten_and_grouped_digits_are_a_number() -> None:
    assert parse_yaml("[010, 1_000_000, 2024_01]") == [10, 1_000_000, "2024_01"]


def test_keys_are_names_as_written() -> None:
    data = parse_yaml("{on: 1, no: 2, 2024: 3, 007: 4, null: 5, true: 6, 2024-01-01: 7}")

    assert list(data) == ["on", "no", "2024", "007", "null", "true", "2024-01-01"]


def test_merged_keys_are_names_too_and_may_be_overridden() -> None:
    data = parse_yaml("base: &b {on: 1, 2: x}\nmore: {<<: *b, on: 3}\n")

    assert data["more"] == {"on": 3, "2": "x"}


@pytest.mark.parametrize("text", ["{a: 1, a: 2}", "{on: 1, 'on': 2}", "{1: a, '1': b}"])
def test_a_key_given_twice_is_an_error(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match="given twice"):
        parse_yaml(text)


@pytest.mark.parametrize("text", ["{[a, b]: 1}", "v: " + "9" * 5000])
def test_odd_keys_and_numbers_are_errors_of_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)

    with pytest.raises(SettingsError, match="not valid YAML"):
        read_yaml(path)


def test_fields_of_text_take_words_and_dates(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("name: on\nlanguages: [en, no]\ndate: 2024-01-01\nrate: 1e3\nsteps: 1e3\n")

    settings = load_settings(Source, path)

    assert (settings.name, settings.languages, settings.date) == ("on", ("en", "no"), "2024-01-01")
    assert (settings.rate, settings.steps) == (1000.0, 1000)


@pytest.mark.parametrize(
    ("word", "value"), [("off", False), ("No", False), ("on", True), ("YES", True)]
)
def test_boolean_fields_still_take_the_old_words(tmp_path: Path, word: str, *, value: bool) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"name: a\nenabled: {word}\nkeep: {word}\n")

    for overrides in ([], [f"enabled={word}"]):
        settings = load_settings(Source, path, overrides)

        assert (settings.enabled, settings.keep) == (value, value)


@pytest.mark.parametrize("word", ["2024", "true", "1.10", "null"])
def test_a_text_that_is_a_number_is_told_to_be_quoted(tmp_path: Path, word: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"name: {word}\n")

    with pytest.raises(SettingsError, match="put a text that looks like this in quotes"):
        load_settings(Source, path)
    path.write_text(f"name: '{word}'\n")
    assert load_settings(Source, path).name == word


def test_what_is_written_is_read_again_by_both_versions() -> None:
    data: dict[str, Any] = {
        "on": "no", "a": ["1e3", "0o17", "12:30", "2024-01-01", "010", "null", "", "是"],
        "b": [1, 1.5, True, None, 1e300], "c": {"1": "x"},
    }  # fmt: skip

    assert parse_yaml(dump_yaml(data)) == data
    assert yaml.safe_load(dump_yaml(data)) == data


def test_a_shipped_list_of_another_type_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "shipped_lists"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "words.yaml").write_text("a: [x, false]\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ContractError, match=r"words.yaml: a\.1: .*found False"):
        read_list("shipped_lists", "words.yaml", dict[str, list[str]])


def test_every_shipped_list_reads_the_same_in_both_versions_of_yaml() -> None:
    for package, name in (
        ("refinery.normalize", "codes.yaml"),
        ("refinery.filters", "bounds.yaml"),
        ("refinery.filters", "bounds_by_language.yaml"),
        ("refinery.filters", "rules.yaml"),
        ("refinery.filters", "gopher_variants.yaml"),
    ):
        text = files(package).joinpath(name).read_text("utf-8")

        # Keys apart: they are text here, and a number may be one.
        assert parse_yaml(text) == yaml.safe_load(text), name
