"""Mistakes of a recipe are found before a run, all at once, with the nearest right name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from refinery.preflight.checks import check_settings, find_mistakes
from refinery.recipe import RefineSettings, load_recipe
from refinery.recipe_names import misspelt_names
from schemas.errors import ContractError, SettingsError
from schemas.settings import parse_settings


def settings(root: Path, **recipe: Any) -> RefineSettings:
    (root / "notes").mkdir(exist_ok=True)
    (root / "notes" / "a.txt").write_text("Some text of a note.")
    plain = {
        "recipe": {
            "name": "r",
            "sources": [{"name": "notes", "uri": str(root / "notes"), "format": "text"}],
            **recipe,
        },
        "runtime": {"output": str(root / "out")},
    }
    return parse_settings(RefineSettings, plain, where="test")


def mistakes(root: Path, **recipe: Any) -> list[str]:
    return [str(error) for error in find_mistakes(settings(root, **recipe))]


def test_a_sound_recipe_has_none(tmp_path: Path) -> None:
    assert mistakes(tmp_path) == []


@pytest.mark.parametrize(
    ("recipe", "fault"),
    [
        (
            {"mixture": {"weights": {"notez": 1}}},
            "recipe.mixture.weights: no source 'notez'; did you mean 'notes'?",
        ),
        (
            {"quality": {"positive": ["notez"], "negative": ["notes"]}},
            "recipe.quality.positive: no source 'notez'; did you mean 'notes'?",
        ),
        (
            {"heads": {"edu": {"positive": ["notes"], "negative": ["ntes"]}}},
            "recipe.heads.edu.negative: no source 'ntes'; did you mean 'notes'?",
        ),
        (
            {"domains": {"sources": {"law": ["notes"], "art": ["nots"]}}},
            "recipe.domains.sources.art: no source 'nots'; did you mean 'notes'?",
        ),
        (
            {"dedup": {"dumps": [["note"]]}},
            "recipe.dedup.dumps: no source 'note'; did you mean 'notes'?",
        ),
        ({"dedup": {"dumps": [[]]}}, "recipe.dedup.dumps: no dump holds notes"),
        (
            {
                "heads": {"edu": {"positive": ["notes"], "negative": ["notes"]}},
                "clean": {"heads": {"ed": {"min_score": 0.2}}},
            },
            "recipe.clean.heads: no head 'ed' is trained by this recipe; did you mean 'edu'?",
        ),
        (
            {"mixture": {"weight_by": {"score": "quality"}}},
            "recipe.mixture.weight_by.score: no head 'quality' is trained by this recipe",
        ),
        (
            {"clean": {"quality": {"min_score": 0.5}}},
            "recipe.clean.quality.min_score: no document has that score without recipe.quality",
        ),
    ],
)
def test_a_name_that_nothing_of_the_recipe_has_is_refused(
    recipe: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"^test: ") as refused:
        settings(tmp_path, **recipe)

    assert fault in str(refused.value)
    assert "found {" not in str(refused.value)


def test_names_are_told_of_data_of_any_shape() -> None:
    assert misspelt_names(None) == misspelt_names({"sources": "x"}) == []
    assert misspelt_names({"sources": [{"name": "a"}, 5], "mixture": {"weights": {"b": 1}}}) == [
        "recipe.mixture.weights: no source 'b'; known: a"
    ]


def test_wrong_keys_values_and_names_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    source = {"name": "notes", "uri": ".", "format": "text", "patern": "x", "fields": {"txet": "a"}}
    plain = {
        "recipe": {
            "name": "r", "sede": 1, "sead": 2, "sources": [source],
            "dedup": {"threshold": 2}, "mixture": {"weights": {"notez": 1}},
        },
        "runtime": {"output": "o", "prtitions": "many"},
    }  # fmt: skip
    path.write_text(json.dumps(plain))

    with pytest.raises(SettingsError) as refused:
        load_recipe(path)

    told = str(refused.value)
    for fault in (
        "recipe.sede: unknown key; did you mean 'seed'?",
        "recipe.sead: unknown key; did you mean 'seed'?",
        "recipe.sources.0.patern: unknown key; did you mean 'pattern'?",
        "recipe.sources.0.fields.txet: unknown key; did you mean 'text'?",
        "recipe.dedup.threshold: Input should be less than or equal to 1, found 2",
        "runtime.prtitions: unknown key; did you mean 'partitions'?",
        "runtime.partitions: Input should be a valid integer",
        "recipe.mixture.weights: no source 'notez'; did you mean 'notes'?",
    ):
        assert told.count(fault) == 1, (fault, told)


def test_files_and_names_outside_of_the_recipe_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "gsm8k.jsonl").write_text('{"question": "How many?", "answer": "3"}\n')
    sources = [
        {"name": "notes", "uri": str(tmp_path / "note"), "format": "text"},
        {"name": "rows", "uri": str(tmp_path), "format": "jsonl", "pattern": "*.jsonl",
         "fields": {"text": "qestion"}},
    ]  # fmt: skip
    benchmarks = [
        {"name": "a", "path": str(tmp_path / "gsm8.jsonl"), "fields": ["question"]},
        {"name": "b", "path": str(tmp_path / "gsm8k.jsonl"), "fields": ["answr"]},
    ]
    told = mistakes(
        tmp_path,
        sources=sources,
        clean={
            "language": {"languages": ["english", "zh"], "min_score_by_language": {"zh-CN": 0.5}},
            "rules": {"disabled": ["gopher:wrods"], "urls": {"lists": ["nowhere/x"]}},
        },
        dedup={"earlier": [str(tmp_path / "run")]},
        decontaminate={"benchmarks": benchmarks},
        vocabulary={"tokenizer": str(tmp_path / "gsm8k.json")},
    )
    together = "\n".join(told)

    for fault in (
        f"source 'notes': nothing at {tmp_path}/note; did you mean 'notes'?",
        f"source 'rows': no field 'qestion' in {tmp_path}/gsm8k.jsonl, found question, answer; "
        "did you mean 'question'?",
        "recipe.clean.language.languages: no language 'english'; did you mean 'en'?",
        "recipe.clean.language.min_score_by_language: no language 'zh-CN'; did you mean 'zh'?",
        "no rule 'gopher:wrods'; did you mean 'gopher:words'?",
        "recipe.clean.rules.urls.lists[0]: nothing at nowhere/x; there is no folder",
        f"benchmark 'a': nothing at {tmp_path}/gsm8.jsonl; did you mean 'gsm8k.jsonl'?",
        "no field 'answr', found ['answer', 'question']; did you mean 'answer'?",
        f"{tmp_path}/run: stage 'dedup' has published nothing yet",
        f"recipe.vocabulary.tokenizer: nothing at {tmp_path}/gsm8k.json; did you mean",
    ):
        assert fault in together, (fault, together)


def test_a_missing_model_and_a_file_that_is_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"no model")
    for name, expected in (("nope.bin", "nothing at"), ("model.bin", "model.bin")):
        told = mistakes(tmp_path, clean={"language": {"model": str(tmp_path / name)}})

        assert len(told) == 1
        assert "recipe.clean.language.model" in told[0]
        assert expected in told[0]


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")

    with pytest.raises(SettingsError, match=f"{tmp_path}/out is a file"):
        check_settings(settings(tmp_path))


def test_mistakes_of_one_kind_keep_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong_scheme(*_: object) -> None:
        raise ContractError("signatures of another scheme")

    monkeypatch.setattr("refinery.preflight.checks.check_earlier", wrong_scheme)

    with pytest.raises(ContractError, match="another scheme"):
        check_settings(settings(tmp_path))


class NoCredentialsError(Exception):
    """Named like botocore's, which is not imported."""


def test_a_missing_credential_hides_no_other_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_: object) -> None:
        raise NoCredentialsError("Unable to locate credentials")

    monkeypatch.setattr("refinery.preflight.checks.check_source", ask)

    told = mistakes(tmp_path, clean={"language": {"languages": ["english"]}})

    assert [one.split(";")[0] for one in told] == [
        "Unable to locate credentials",
        "recipe.clean.language.languages: no language 'english'",
    ]
